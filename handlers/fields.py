"""The fields that our schemas are made of: strict, so that "5" is no number and 1 is no truth."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marshmallow import ValidationError, fields, validate

from fittracker.clock import rfc3339
from fittracker.ids import is_id

# Characters that nobody sees but a terminal, a log or a reader's eye obeys: controls, and those that turn
# the direction of writing around.
_HIDDEN: Final = {"Cc", "Cs", "Zl", "Zp"}
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+_-]*(/[A-Za-z0-9+_-]+){0,2}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


class Text(fields.String):
    """One line of text, trimmed, of so many characters."""

    def __init__(self, shortest: int = 1, longest: int = 200, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=shortest, max=longest), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        text = value.strip()
        if _TURNING.search(text) or any(unicodedata.category(each) in _HIDDEN for each in text):
            raise ValidationError("must not hold line breaks or control characters")
        return text


class Paragraphs(fields.String):
    """Text of several lines, trimmed, of so many characters; every line ends with a line feed alone."""

    def __init__(self, shortest: int = 1, longest: int = 2_000, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=shortest, max=longest), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        text = value.replace("\r\n", "\n").strip()
        shown = text.replace("\n", "").replace("\t", "")
        if _TURNING.search(shown) or any(unicodedata.category(each) in _HIDDEN for each in shown):
            raise ValidationError("must not hold control characters")
        return text


class Secret(fields.String):
    """A password or a token: taken as it is."""

    def __init__(self, longest: int = 1_024, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=1, max=longest), load_only=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return value


class Choice(fields.String):
    """One of a few words."""

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(words), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return value


class Whole(fields.Integer):
    """A whole number between two others."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid")
        return value


class WholeText(Whole):
    """The same in a query, where everything is text."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,15}", value):
            raise self.make_error("invalid")
        return int(value)


class Number(fields.Float):
    """A number between two others."""

    def __init__(self, least: float, most: float, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
            raise self.make_error("invalid")  # the last one: infinite, or no number, which no range notices
        return value  # a whole number stays one; the range keeps it small


class Flag(fields.Boolean):
    """true or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class FlagText(Flag):
    """The same in a query, where everything is text."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


class Id(fields.String):
    """The id of a document."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Regexp(r"^[0-9a-f]{24}\Z"), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> str:
        if not isinstance(value, str) or not is_id(value):
            raise ValidationError("is no id")
        return value


class Day(fields.Date):
    """A day of the calendar, YYYY-MM-DD; kept as that text."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise ValidationError("must be a day such as 2026-11-23")
        try:
            date.fromisoformat(value)
        except ValueError as error:
            raise ValidationError("is no day of the calendar") from error
        return value

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kw: Any) -> Any:
        return value


class Moment(fields.AwareDateTime):
    """A moment as RFC 3339 with its offset; kept in UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> Any:
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise ValidationError("must be a moment such as 2026-11-23T10:00:00Z")
        try:
            moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValidationError("is no moment of the calendar") from error
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kw: Any) -> Any:
        return None if value is None else rfc3339(value)


class Clock(fields.String):
    """A time of the day, HH:MM."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Regexp(r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return value


class TimeZone(fields.String):
    """A zone of the IANA database, such as Europe/Berlin."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any) -> str:
        if not isinstance(value, str) or len(value) > 64 or not _ZONE.fullmatch(value):
            raise ValidationError("is no time zone")
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValidationError("is no time zone") from error
        return value
