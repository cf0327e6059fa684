// A room on Node with `ws`: join, say to everybody, echo. Nothing is stored, nobody is asked who they are.
'use strict';
const { WebSocketServer, WebSocket } = require('ws');

const server = new WebSocketServer({
  host: '127.0.0.1', port: 0, path: '/ws', backlog: 4096, perMessageDeflate: false, maxPayload: 65536,
});
const room = new Set();

server.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('close', () => room.delete(socket));
  socket.on('message', (data) => {
    const said = JSON.parse(data);
    if (said.type === 'join') {
      room.add(socket);
    } else if (said.type === 'say') {
      const text = JSON.stringify(said);
      for (const member of room) {
        if (member.readyState === WebSocket.OPEN) member.send(text);
      }
    } else if (said.type === 'echo') {
      socket.send(JSON.stringify(said));
    }
  });
});
server.on('listening', () => console.log(server.address().port));
