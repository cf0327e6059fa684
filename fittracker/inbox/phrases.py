"""Notifications as sentences: for mails, pushes, and clients that have no words of their own. English.

An event that is not in the table is told by its kind, without a name: never wrong, only less exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

LONGEST_NAME: Final = 40
LONGEST: Final = 160
SOMEBODY: Final = "Somebody"

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "post.liked": "{who} liked your post",
        "post.commented": "{who} commented on your post",
        "post.mentioned": "{who} mentioned you in a post",
        "comment.replied": "{who} replied to your comment",
        "comment.mentioned": "{who} mentioned you in a comment",
        "user.followed": "{who} started following you",
        "follow.requested": "{who} would like to follow you",
        "follow.accepted": "{who} accepted your request to follow",
        "chat.mentioned": "{who} mentioned you in a conversation",
        "chat.invited": "{who} added you to a conversation",
        "session.invited": "{who} invited you to a coaching session",
        "session.started": "A coaching session of yours has started",
        "session.ended": "A coaching session of yours has ended",
        "session.stop": "{who} asks you to stop",
        "session.cancelled": "A coaching session of yours was cancelled",
        "challenge.invited": "{who} invited you to a challenge",
        "challenge.joined": "{who} joined your challenge",
        "challenge.overtaken": "{who} overtook you in a challenge",
        "challenge.finished": "A challenge of yours is over",
        "challenge.reached": "You reached the goal of a challenge",
        "booking.requested": "{who} would like to book a session with you",
        "booking.confirmed": "Your booking is confirmed",
        "booking.cancelled": "A booking of yours was cancelled",
    }
)
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "security": "Something about the security of your account: please have a look",
        "account": "News about your account",
        "booking": "News about a booking of yours",
        "receipt": "A receipt is there",
        "weekly_summary": "The summary of your week is there",
        "social": "News from people you know",
        "coaching": "News from your coaching",
        "challenge": "News about a challenge",
        "chat": "News in a conversation",
    }
)
"""One for each kind of `fittracker.preferences.NOTIFICATIONS`."""


def phrase(event: str, kind: str, names: Sequence[str], *, people: int, data: Mapping[str, Any]) -> str:
    """The sentence. `names`: of the newest who caused it; `people`: how many did."""
    text = EVENTS.get(event)
    if text is None:
        return KINDS[kind]
    title = data.get("title")
    said = text.format(who=who(names, people))
    return _cut(f"{said}: {title}" if isinstance(title, str) and title else said, LONGEST)


def who(names: Sequence[str], people: int) -> str:
    """`Anna`, `Anna and Bert`, `Anna and 2 others`; `Somebody` where nobody's name is known."""
    first = _cut(names[0], LONGEST_NAME) if names else SOMEBODY
    if people <= 1:
        return first
    if people == 2 and len(names) == 2:
        return f"{first} and {_cut(names[1], LONGEST_NAME)}"
    others = people - 1
    return f"{first} and {others} {'other' if others == 1 else 'others'}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
