"""What a person wants to be told over which channel, and who may see what of them: defaults and rules.

Stored is only what somebody has set (`preferences.notifications.<kind>.<channel>` and
`preferences.privacy.<field>`); the rest follows from the tables here, so a better default reaches everybody
who never chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fittracker.errors import Invalid
from fittracker.mongo import Document

CHANNELS: Final = ("socket", "mail", "push")
NOTIFICATIONS: Final[Mapping[str, Mapping[str, bool]]] = {
    "security": {"socket": True, "mail": True, "push": True},
    "account": {"socket": True, "mail": True, "push": False},
    "booking": {"socket": True, "mail": True, "push": True},
    "receipt": {"socket": False, "mail": True, "push": False},
    "weekly_summary": {"socket": False, "mail": False, "push": False},
    "social": {"socket": True, "mail": False, "push": True},
    "coaching": {"socket": True, "mail": False, "push": True},
    "challenge": {"socket": True, "mail": False, "push": True},
    "chat": {"socket": True, "mail": False, "push": True},
}
"""Whether a kind of notification goes over a channel while the person has not said otherwise."""
ALWAYS: Final = frozenset({"security"})
"""What nobody can turn off: whoever took an account over would do that first."""

VISIBILITIES: Final = ("public", "followers", "private")
PRIVACY: Final[Mapping[str, str]] = {
    "profile": "public",
    "heart_rate": "private",
    "map": "private",
    "weight": "private",
    "presence": "contacts",
}
"""Who may see a field while the person has not said otherwise.

followers: also those whom the person lets follow them; private: oneself, and who has a grant.
`presence`, being online, has a word of its own, contacts: with whom one shares something (see
`fittracker.discretion`); private is nobody there.
"""
PRESENCE: Final = (*VISIBILITIES, "contacts")


def wants(person: Mapping[str, Any], kind: str, channel: str) -> bool:
    """Whether this person (a document with `preferences`) wants this kind over this channel.

    KeyError for a kind or a channel that there is not: a mistake of ours.
    """
    default = NOTIFICATIONS[kind][channel]
    if kind in ALWAYS:
        return default
    own = person["preferences"].get("notifications", {}).get(kind, {})
    return bool(own.get(channel, default))


def words(field: str) -> tuple[str, ...]:
    """What may be chosen for a field of `PRIVACY`."""
    return PRESENCE if field == "presence" else VISIBILITIES


def visibility(person: Mapping[str, Any], field: str) -> str:
    """One of the `words` of this field; KeyError for a field that there is not."""
    return str(person["preferences"].get("privacy", {}).get(field, PRIVACY[field]))


def whole(person: Mapping[str, Any]) -> Document:
    """The preferences with every notification and every privacy field, set or not."""
    return {
        "quiet_hours": None,
        **person["preferences"],
        "notifications": {
            kind: {channel: wants(person, kind, channel) for channel in channels}
            for kind, channels in NOTIFICATIONS.items()
        },
        "privacy": {field: visibility(person, field) for field in PRIVACY},
    }


def stored(changes: Mapping[str, Any]) -> Document:
    """Changes of groups as the paths that MongoDB sets; Invalid for turning off what cannot be turned off.

    `notifications` and `privacy` change cell by cell, every other group is replaced as a whole.
    """
    paths: Document = {}
    for group, value in changes.items():
        if group == "notifications":
            for kind, channels in value.items():
                paths |= _cells(kind, channels)
        elif group == "privacy":
            paths |= {f"preferences.privacy.{field}": seen for field, seen in value.items()}
        else:
            paths[f"preferences.{group}"] = value
    return paths


def _cells(kind: str, channels: Mapping[str, bool]) -> Document:
    if kind in ALWAYS:
        off = [channel for channel, on in channels.items() if not on]
        if off:
            fields = {f"notifications.{kind}.{channel}": "cannot be turned off" for channel in off}
            raise Invalid("What is about the security of your account is always sent.", fields=fields)
        return {}
    return {f"preferences.notifications.{kind}.{channel}": on for channel, on in channels.items()}
