"""What workers tell each other at once, over one channel that all of them read.

A context publishes (`Control.tell`), the realtime server of every worker acts on it. A message may be lost
when Redis is away: each of them only hastens what a check would find out a little later.
"""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from fittracker.redis import CONTROL_CHANNEL


class SessionEnded(msgspec.Struct, tag="session_ended", frozen=True):
    """A sign-in session is over: forget it, close its sockets."""

    sid: str
    reason: str = "signed_out"


class UserChanged(msgspec.Struct, tag="user_changed", frozen=True):
    """A person was disabled, deleted, or has another role: every session of theirs is looked at again."""

    user: str
    banned: bool = False


class GrantEnded(msgspec.Struct, tag="grant_ended", frozen=True):
    """An athlete took a grant back: the trainer's watches on them end."""

    athlete: str
    trainer: str


class Blocked(msgspec.Struct, tag="blocked", frozen=True):
    """One of two people blocked the other: neither watches the other any more."""

    user: str
    other: str


class SightChanged(msgspec.Struct, tag="sight_changed", frozen=True):
    """A person shows less of themselves: whoever watches them is looked at again."""

    user: str


class StreamTaken(msgspec.Struct, tag="stream_taken", frozen=True):
    """A newer connection owns this heart-rate stream; whoever else held it lets go."""

    stream: str
    worker: str
    connection: str


class MembershipEnded(msgspec.Struct, tag="membership_ended", frozen=True):
    """A person no longer belongs to a room: their sockets leave it."""

    room: str
    user: str


class RoomEnded(msgspec.Struct, tag="room_ended", frozen=True):
    """A room is over: the sockets of all these people leave it."""

    room: str
    users: list[str]


class LookAgain(msgspec.Struct, tag="look_again", frozen=True):
    """A person may see less than before: every room that they are in is looked at again."""

    user: str


class RoomChanged(msgspec.Struct, tag="room_changed", frozen=True):
    """Fewer people may be in a room than before: everybody who is in it is looked at again."""

    room: str


class ToFollowers(msgspec.Struct, tag="to_followers", frozen=True):
    """An event for those who follow a person, of whom there are about so many; `data` is JSON.

    Each worker knows who is there, and says it to those of them who follow: one message for all of them.
    """

    user: str
    followers: int
    kind: str
    data: str


class SaidBy(msgspec.Struct, tag="said_by", frozen=True):
    """An event in a room, by a person, for everybody there who has no block with them; `data` is JSON."""

    user: str
    room: str
    kind: str
    data: str


class RollCall(msgspec.Struct, tag="roll_call", frozen=True):
    """Somebody asks for the open sockets: push up to `most` into the list `reply`, newest first.

    Only those of a `user`, an `address`, in a `room`, and behind `after` (see `fittracker.connections`).
    """

    reply: str
    most: int
    user: str | None = None
    address: str | None = None
    room: str | None = None
    after: tuple[int, str, int] | None = None


class CloseSocket(msgspec.Struct, tag="close_socket", frozen=True):
    """Whoever has this connection closes it, and says so in the list `reply`."""

    reply: str
    connection: str


class Notice(msgspec.Struct, tag="notice", frozen=True):
    """Those who run the server have something to say to everybody who is connected."""

    text: str


SightEnded = GrantEnded | Blocked | SightChanged | MembershipEnded | RoomEnded | LookAgain | RoomChanged
"""Somebody may see less than before."""
Remark = ToFollowers | SaidBy
"""An event that is not for everybody who is in a room."""
Message = SessionEnded | UserChanged | StreamTaken | RollCall | CloseSocket | Notice | SightEnded | Remark

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """The message as it travels."""
    return _encoder.encode(message)


def decode(payload: bytes) -> Message:
    """The message from the wire; msgspec.DecodeError where it is none (another version's worker)."""
    message: Message = _decoder.decode(payload)
    return message


class Control:
    """The sending side, for contexts."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def tell(self, message: Message) -> None:
        """Tell every worker, this one included."""
        await self._redis.publish(CONTROL_CHANNEL, encode(message))
