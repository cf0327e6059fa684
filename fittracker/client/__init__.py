"""A client for FitTracker servers, on aiohttp. This is all a wearable needs:

    import asyncio, time
    from fittracker.client import Client, Device, Sample

    async def main(read_sensor):
        async with (
            Client("https://fit.example.org", token="the device's token") as client,
            await client.open_stream(sport="running", device=Device("Strap 7", "chest strap")) as stream,
        ):
            async for bpm, rr in read_sensor():
                await stream.push([Sample(time.time_ns() // 1_000_000, bpm, rr)])
        # leaving waits until the last sample is stored, and ends the workout

Connections that break come back by themselves: rooms are entered again, athletes watched again, and every
sample that the server has not acknowledged is sent again. A trainer's side:

    async with Client(url, email=email, password=password) as client:
        await client.join(f"session:{session}")
        async for event in client.events():
            match event.data:
                case HrUpdate(user=user, bpm=bpm, zone=zone): ...
                case HrAlert(user=user, kind=kind): ...
"""

from fittracker.client.backoff import Backoff
from fittracker.client.client import Client
from fittracker.client.credentials import Credentials, Password, Token
from fittracker.client.errors import ClientError, CommandError, ConnectionLost, Disconnected, StreamTaken
from fittracker.client.form import FormAnalysis
from fittracker.client.messages import (
    AuthExpiring,
    ConnectionChange,
    Draining,
    Event,
    FormClosed,
    FormFault,
    FormHold,
    FormRep,
    Hello,
    HrAck,
    HrAlert,
    HrClosed,
    HrOpened,
    HrStale,
    HrSummary,
    HrTaken,
    HrUpdate,
    Member,
    Presence,
    PresenceChanged,
    RoomGap,
    RoomJoined,
    RoomLost,
    Summary,
)
from fittracker.client.sample import Sample
from fittracker.client.stream import Device, HeartStream

__all__ = [
    "AuthExpiring",
    "Backoff",
    "Client",
    "ClientError",
    "CommandError",
    "ConnectionChange",
    "ConnectionLost",
    "Credentials",
    "Device",
    "Disconnected",
    "Draining",
    "Event",
    "FormAnalysis",
    "FormClosed",
    "FormFault",
    "FormHold",
    "FormRep",
    "HeartStream",
    "Hello",
    "HrAck",
    "HrAlert",
    "HrClosed",
    "HrOpened",
    "HrStale",
    "HrSummary",
    "HrTaken",
    "HrUpdate",
    "Member",
    "Password",
    "Presence",
    "PresenceChanged",
    "RoomGap",
    "RoomJoined",
    "RoomLost",
    "Sample",
    "StreamTaken",
    "Summary",
    "Token",
]
