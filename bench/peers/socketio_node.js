// A room on Node with Socket.IO: join, say to everybody, echo. Nothing is stored, nobody is asked who they are.
'use strict';
const { createServer } = require('http');
const { Server } = require('socket.io');

const http = createServer();
const io = new Server(http, { transports: ['websocket'], serveClient: false, perMessageDeflate: false });

io.on('connection', (socket) => {
  socket.on('join', () => socket.join('room'));
  socket.on('say', (said) => io.to('room').emit('say', said));
  socket.on('echo', (said) => socket.emit('echo', said));
});
http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => console.log(http.address().port));
