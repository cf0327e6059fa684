"""What was said in a room, held against what everybody sent, was promised and heard.

Those who take part write down what happens to them; afterwards `faults` lists all that breaks the promise of
durable rooms: what was acknowledged is stored, in its place and once; everybody hears the same in the same
order; who misses something is told so, reads the history again, and has all of it then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Place = tuple[str, int]
"""Epoch and number."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something in its place. `key` is the sender's own name for it; there is no other like it."""

    key: str
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Announced: something may be missing; it goes on after this place. So does the first joining."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Read:
    """The history was read again: all that it has above this number."""

    above: int
    messages: tuple[Said, ...]


Step = Said | Gap | Read


@dataclass(slots=True)
class Ear:
    """Somebody in a room, and what came, in the order in which it came."""

    name: str
    steps: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class Room:
    """All that is known of a room afterwards."""

    name: str
    sent: set[str] = field(default_factory=set)
    acknowledged: list[Said] = field(default_factory=list)
    stored: list[Said] = field(default_factory=list)
    """As it lies in MongoDB, by number."""
    told: list[Said] = field(default_factory=list)
    """As the history tells it."""
    ears: list[Ear] = field(default_factory=list)


def faults(room: Room) -> list[str]:
    """Everything that breaks the promise; nothing where it was kept."""
    found = [*_of_the_history(room), *_of_the_acknowledged(room)]
    meant: dict[Place, str] = {(each.epoch, each.seq): each.key for each in room.stored}
    for ear in room.ears:
        found += [f"{ear.name}: {each}" for each in _of_an_ear(ear, room.stored)]
        for said in (step for step in ear.steps if isinstance(step, Said)):
            other = meant.setdefault((said.epoch, said.seq), said.key)
            if other != said.key:
                found.append(f"{ear.name}: heard {said.key} where others have {other}, at {said.seq}")
    return [f"{room.name}: {each}" for each in found]


def _of_the_history(room: Room) -> Iterable[str]:
    if room.told != room.stored:
        missing = len(set(room.stored) - set(room.told))
        yield f"the history tells something else than what is stored ({missing} missing)"
    yield from _twice(room.stored, "is stored")
    for before, after in pairwise(room.stored):
        if after.seq <= before.seq:
            yield f"{after.key} is stored at {after.seq}, after {before.seq}"
    for key in sorted({each.key for each in room.stored} - room.sent):
        yield f"{key} was never sent"


def _of_the_acknowledged(room: Room) -> Iterable[str]:
    stored = {each.key: each for each in room.stored}
    for said in room.acknowledged:
        there = stored.get(said.key)
        if there is None:
            yield f"{said.key} was acknowledged at {said.seq} and is not stored"
        elif there != said:
            yield f"{said.key} was acknowledged at {said.seq} and is stored at {there.seq}"


def _of_an_ear(ear: Ear, stored: Sequence[Said]) -> Iterable[str]:
    """What is wrong with what somebody heard, and what they have in the end, history read again included."""
    if not ear.steps or not isinstance(ear.steps[0], Gap):
        yield "never joined"
        return
    start = ear.steps[0].seq
    at = ear.steps[0]
    span: list[Said] = []
    view: dict[int, Said] = {}
    unread = False
    for step in ear.steps:
        match step:
            case Gap():
                yield from _twice(span, "was heard")
                at, span = step, []
                unread = step is not ear.steps[0]
            case Said():
                yield from _out_of_order(at, step)
                at = Gap(step.epoch, step.seq)
                span.append(step)
                view[step.seq] = step
            case Read():
                kept = {seq: said for seq, said in view.items() if seq <= step.above}
                view = kept | {each.seq: each for each in step.messages} | {each.seq: each for each in span}
                unread = False
    yield from _twice(span, "was heard")
    if unread:
        yield "did not read the history after the last gap"
    yield from _against(view, [each for each in stored if each.seq > start], start)


def _out_of_order(at: Gap, said: Said) -> Iterable[str]:
    if said.epoch != at.epoch:
        yield f"heard {said.key} of another epoch at {said.seq}, unannounced"
    elif said.seq != at.seq + 1:
        what = "a hole" if said.seq > at.seq else "an older one"
        yield f"heard {said.key} at {said.seq} after {at.seq}: {what}"


def _against(view: dict[int, Said], stored: Sequence[Said], start: int) -> Iterable[str]:
    """What somebody has in the end, against what there is since they came."""
    has = [view[seq] for seq in sorted(view) if seq > start]
    for said in stored:
        if view.get(said.seq) != said:
            yield f"does not have {said.key}, which is stored at {said.seq}"
    known = set(stored)
    for said in has:
        if said not in known:
            yield f"has {said.key} at {said.seq}, where nothing like that is stored"
    yield from _twice(has, "is had")


def _twice(many: Iterable[Said], how: str) -> Iterable[str]:
    for key, count in Counter(each.key for each in many).items():
        if count > 1:
            yield f"{key} {how} {count} times"
