"""What can go wrong for a client: the server says no, the connection is away, or it will not come back."""

from __future__ import annotations

from fittracker.client.messages import ErrorBody


class ClientError(Exception):
    """Everything this client raises of its own."""


class CommandError(ClientError):
    """The server answered with an error, on the socket or over REST; the connection goes on.

    `code` is for programs, `detail` for people, `fields` says what is wrong with which field. `retry`: the
    same may work later, after `retry_after_ms` where that is known.
    """

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(f"{body.code}: {body.detail or body.title}")
        self.code = body.code
        self.title = body.title
        self.detail = body.detail
        self.fields = body.fields
        self.retry = body.retry
        self.retry_after_ms = body.retry_after_ms


class ConnectionLost(ClientError):  # noqa: N818  it says what happened
    """The socket went away, or the server cannot be reached now. A command may have been done or not."""


class Disconnected(ClientError):  # noqa: N818  it says what happened
    """The connection is over and this client stays away: signed out, banned, refused, or closed by us.

    `code` is the close code of the socket, or the HTTP status where the server refused the upgrade.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason


class StreamTaken(ClientError):  # noqa: N818  the event is called that
    """Another connection has opened this heart-rate stream; it is theirs now."""
