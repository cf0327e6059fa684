"""Every way a request or a command can fail: one vocabulary for REST and the WebSocket.

A context raises one of these; `handlers/problems.py` turns it into problem+json and
`ws/frames.py` into an error frame, with the same code. The codes are the wire contract.
"""

from __future__ import annotations

from typing import ClassVar


class Failure(Exception):  # noqa: N818  it reads as what it is: NotFound, Conflict, Gone
    """A failure that the caller may know about.

    `detail` is a sentence for people, `fields` maps an input's field to what is wrong with it,
    `retry_after_ms` is when it makes sense to try again.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(
        self, detail: str = "", *, fields: dict[str, str] | None = None, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.fields = fields or {}
        self.retry_after_ms = retry_after_ms


class BadRequest(Failure):
    """The request cannot be read at all."""

    code, status, title = "bad_request", 400, "Bad request"


class Unauthenticated(Failure):
    """Nobody is signed in, or the token is not good."""

    code, status, title = "unauthenticated", 401, "Sign in first"


class TotpRequired(Unauthenticated):
    """The password was right; the second factor is missing."""

    code, title = "totp_required", "A second factor is needed"


class PaymentRequired(Failure):
    """It has to be paid for first."""

    code, status, title = "payment_required", 402, "Payment required"


class Forbidden(Failure):
    """Signed in, and the thing may be known to exist, but this is not allowed."""

    code, status, title = "forbidden", 403, "Not allowed"


class NotFound(Failure):
    """It does not exist, or it belongs to somebody else: the two look the same."""

    code, status, title = "not_found", 404, "Not found"


class MethodNotAllowed(Failure):
    """The path exists, the method does not."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"


class Conflict(Failure):
    """It contradicts what is there."""

    code, status, title = "conflict", 409, "Conflict"


class Gone(Failure):
    """It existed and does not come back."""

    code, status, title = "gone", 410, "Gone"


class PreconditionFailed(Failure):
    """`If-Match` names an older version."""

    code, status, title = "precondition_failed", 412, "The document has changed"


class TooLarge(Failure):
    """More than a limit allows."""

    code, status, title = "too_large", 413, "Too large"


class UnsupportedMediaType(Failure):
    """The body is of another type than this route takes."""

    code, status, title = "unsupported_media_type", 415, "Unsupported media type"


class Invalid(Failure):
    """It can be read, but a value is not acceptable; `fields` says which and why."""

    code, status, title = "invalid", 422, "Invalid input"


class RateLimited(Failure):
    """Too many in too short a time; `retry_after_ms` says when to come back."""

    code, status, title = "rate_limited", 429, "Too many requests"


class Unavailable(Failure):
    """Something we need is away. The outcome is unknown; sending the same thing again is safe."""

    code, status, title = "unavailable", 503, "Unavailable for the moment"


def problem(failure: Failure, request_id: str | None = None) -> dict[str, object]:
    """A failure as the body of application/problem+json (RFC 9457), with our code in it."""
    body: dict[str, object] = {
        "type": f"urn:fittracker:error:{failure.code}",
        "title": failure.title,
        "status": failure.status,
        "code": failure.code,
    }
    if failure.detail:
        body["detail"] = failure.detail
    if failure.fields:
        body["fields"] = failure.fields
    if failure.retry_after_ms is not None:
        body["retry_after_ms"] = failure.retry_after_ms
    if request_id is not None:
        body["request_id"] = request_id
    return body
