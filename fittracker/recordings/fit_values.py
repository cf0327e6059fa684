"""What fitdecode hands over, as plain values: by name, checked, in the units of `Point`."""

from __future__ import annotations

import math
from typing import Any, Final

from fitdecode.types import DevField

FIT_EPOCH_S: Final = 631_065_600
"""1989-12-31T00:00Z, where FIT seconds begin."""
FIRST_DATE_S: Final = 0x10000000
"""FIT seconds below it count from when the device was switched on."""
MAX_BPM: Final = 300
DEGREES: Final = 180 / 2**31
"""Of one semicircle."""

# A field of an app on the watch may stand in for one of the profile. Only where the unit is the
# profile's own: apps write what they like into it, such as strokes for a cadence.
_STAND_INS: Final = {
    3: ("heart_rate", "bpm"),
    4: ("cadence", "rpm"),
    6: ("speed", "m/s"),
    7: ("power", "watts"),
}


def profile_values(message: Any) -> dict[str, Any]:
    """The scaled values of a message by the names of the FIT profile; invalid ones are left out.

    fitdecode unpacks some fields into others (speed into enhanced_speed); what the device itself
    wrote wins over what was unpacked.
    """
    written: dict[str, Any] = {}
    unpacked: dict[str, Any] = {}
    stand_ins: dict[str, Any] = {}
    for data in message.fields:
        field, value = data.field, data.value
        if field is None or value is None:
            continue
        if isinstance(field, DevField):
            name, unit = _STAND_INS.get(field.native_field_num, ("", ""))
            if name and unit == str(field.units).lower():
                stand_ins[name] = value
        elif data.field_def is None:
            unpacked[field.name] = value
        else:
            written[field.name] = value
            if isinstance(value, tuple) and _misfit(data):
                for component in field.components or ():
                    unpacked.pop(component.name, None)
    return {**stand_ins, **unpacked, **written}


def raw_values(message: Any) -> dict[str, Any]:
    """The values as the device wrote them, unscaled, None where invalid."""
    return {
        data.field.name: data.raw_value
        for data in message.fields
        if data.field and data.field_def and not _misfit(data)
    }


def _misfit(data: Any) -> bool:
    """A field of a size that its type cannot have: fitdecode reads bytes and unpacks nonsense."""
    return bool(data.field_def.base_type.name == "byte" and data.field.base_type.name != "byte")


def number(value: Any) -> float | None:
    """A finite number. A tuple is what fitdecode makes of a field whose size does not fit its type."""
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    return None


def whole(value: Any) -> int | None:
    """A number without fraction, such as a heart rate or FIT seconds."""
    found = number(value)
    return None if found is None else int(found)


def pulse(value: Any) -> int | None:
    """A heart rate in bpm that a heart can have, or 0 for a sensor without contact."""
    found = whole(value)
    return found if found is not None and 0 <= found <= MAX_BPM else None


def text(value: Any) -> str | None:
    """A name; a number where the profile has no name for it."""
    return None if value is None or isinstance(value, tuple) else str(value)


def unix_ms(fit_seconds: Any) -> int | None:
    """Unix milliseconds of a FIT time; those of a device without a date stay what they are."""
    seconds = whole(fit_seconds)
    if seconds is None:
        return None
    return (seconds + FIT_EPOCH_S if seconds >= FIRST_DATE_S else seconds) * 1000


def degrees(semicircles: Any, limit: float) -> float | None:
    """Degrees of an angle in semicircles, None beyond the limit on either side."""
    found = number(semicircles)
    if found is None or abs(found * DEGREES) > limit:
        return None
    return found * DEGREES
