"""The profile of an export, taken into an account: it fills gaps and overwrites nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from fittracker.errors import Invalid
from fittracker.mongo import Document
from fittracker.portability.rows import PreferencesRow, ProfileRow
from fittracker.preferences import ALWAYS, NOTIFICATIONS, PRIVACY, words
from fittracker.profile import FIELDS
from fittracker.users import Users

_decode: Final = msgspec.json.Decoder(ProfileRow).decode


async def take_profile(users: Users, user: str, content: bytes) -> bool:
    """Whether there was something in it that the account did not have.

    Invalid (or msgspec.DecodeError) for a profile that no form would take; then nothing has changed.
    """
    offered = _decode(content)
    _check_dates(offered)
    person = await users.get(user)
    fields = gaps(person, {name: getattr(offered, name, None) for name in FIELDS})
    preferences = _preferences(person["preferences"], offered.preferences)
    zones = [] if person["zones"] else [msgspec.to_builtins(row) for row in offered.zones]
    if fields:
        await users.change(user, fields, None)
    if zones:
        await users.change_zones(user, zones, None)
    if preferences:
        await users.change_preferences(user, preferences, None)
    return bool(fields or zones or preferences)


def gaps(present: Mapping[str, Any], offered: Mapping[str, Any]) -> Document:
    """What is offered and not there yet. UTC is what everybody has who never said where they live."""
    return {
        name: value
        for name, value in offered.items()
        if value is not None
        and (present.get(name) is None or (name == "time_zone" and present[name] == "UTC" != value))
    }


def _check_dates(offered: ProfileRow) -> None:
    try:
        for day in (offered.birth_date, *(row.since for row in offered.zones)):
            if day is not None:
                date.fromisoformat(day)
        if offered.time_zone is not None:
            ZoneInfo(offered.time_zone)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise Invalid("A day or the time zone of the profile is none.") from error


def _preferences(present: Mapping[str, Any], offered: PreferencesRow | None) -> Document:
    """The groups and cells that were never set here; those that nobody may set are left out."""
    if offered is None:
        return {}
    built = msgspec.to_builtins(offered)
    found = gaps(present, {name: built.get(name) for name in ("alerts", "units", "language", "quiet_hours")})
    if offered.quiet_hours and offered.quiet_hours.begin == offered.quiet_hours.end:
        raise Invalid("The quiet hours begin when they end.")
    privacy = gaps(present.get("privacy", {}), offered.privacy)
    if any(field not in PRIVACY or chosen not in words(field) for field, chosen in privacy.items()):
        raise Invalid("The preferences hold a field or a word that nobody knows.")
    notifications = _notifications(present.get("notifications", {}), offered.notifications)
    return found | ({"privacy": privacy} if privacy else {}) | notifications


def _notifications(present: Mapping[str, Any], offered: dict[str, dict[str, bool]]) -> Document:
    found: Document = {}
    for kind, channels in offered.items():
        if not NOTIFICATIONS.get(kind, {}).keys() >= channels.keys():
            raise Invalid("The preferences hold a notification that nobody knows.")
        cells = {name: on for name, on in channels.items() if name not in present.get(kind, {})}
        if cells and kind not in ALWAYS:
            found[kind] = cells
    return {"notifications": found} if found else {}
