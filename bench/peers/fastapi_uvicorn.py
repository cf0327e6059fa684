"""A room with FastAPI on uvicorn: join, say to everybody, echo. Nothing is stored, nobody signs in."""

import json
import socket

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
room: set[WebSocket] = set()


@app.websocket("/ws")
async def converse(line: WebSocket) -> None:
    """One socket."""
    await line.accept()
    try:
        while True:
            said = json.loads(await line.receive_text())
            if said["type"] == "join":
                room.add(line)
            elif said["type"] == "say":
                text = json.dumps(said, separators=(",", ":"))
                for member in tuple(room):
                    await member.send_text(text)
            elif said["type"] == "echo":
                await line.send_text(json.dumps(said, separators=(",", ":")))
    except WebSocketDisconnect:
        pass
    finally:
        room.discard(line)


listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(
    app, loop="uvloop", http="httptools", ws="websockets", log_level="error", ws_per_message_deflate=False
)
uvicorn.Server(config).run(sockets=[listener])
