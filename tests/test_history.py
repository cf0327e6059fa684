"""The checker of histories: a good run has no fault, and each kind of fault that is planted is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.history import Ear, Gap, Read, Room, Said, faults

LENGTH = 20


def said(number: int, epoch: str = "a") -> Said:
    """The message with this number."""
    return Said(f"m{number}", epoch, number)


def good() -> Room:
    """Ten in one epoch, ten in the next: somebody stays, somebody comes late, somebody reads again."""
    first = [said(number) for number in range(1, 11)]
    second = [said(number, "b") for number in range(101, 111)]
    every = first + second
    ghost = Said("m105", "a", 11)  # heard and never stored: the sender said it again in the new epoch
    stayed = Ear("stayed", [Gap("a", 0), *first, ghost, Gap("b", 100), Read(0, tuple(first)), *second])
    away = Ear(
        "away",
        [Gap("a", 0), *first[:4], Gap("b", 104), *second[4:], Read(2, (*first[2:], *second[:6]))],
    )
    late = Ear("late", [Gap("b", 105), *second[5:]])
    return Room(
        "room", {each.key for each in every}, every[1:], list(every), list(every), [stayed, away, late]
    )


def test_a_run_that_kept_the_promise_has_no_fault() -> None:
    """Also with an announced gap, a copy that nobody stored, and somebody who reads while it goes on."""
    assert faults(good()) == []


def _lose_from_the_store(room: Room) -> None:
    del room.stored[5], room.told[5]


def _lose_for_one(room: Room) -> None:
    del room.ears[2].steps[-1]


def _lose_in_the_middle(room: Room) -> None:
    del room.ears[0].steps[3]


def _double(room: Room) -> None:
    room.ears[0].steps.insert(4, room.ears[0].steps[3])


def _double_with_a_new_number(room: Room) -> None:
    room.ears[2].steps.append(Said("m110", "b", 111))


def _store_twice(room: Room) -> None:
    for rows in (room.stored, room.told):
        rows.append(Said("m3", "b", 111))
    for ear in room.ears:
        ear.steps.append(Said("m3", "b", 111))


def _swap(room: Room) -> None:
    steps = room.ears[2].steps
    steps[1], steps[2] = steps[2], steps[1]


def _swap_with_numbers(room: Room) -> None:
    room.ears[2].steps[1:3] = [Said("m107", "b", 106), Said("m106", "b", 107)]


def _store_elsewhere(room: Room) -> None:
    room.acknowledged[3] = Said(room.acknowledged[3].key, "a", 15)


def _change_the_epoch_silently(room: Room) -> None:
    del room.ears[0].steps[12]


def _forget_to_read(room: Room) -> None:
    room.ears[1].steps.pop()


def _store_after_everybody_has_read(room: Room) -> None:
    room.sent.add("late")
    for rows in (room.stored, room.told):
        rows.insert(10, Said("late", "a", 11))


def _tell_another_order(room: Room) -> None:
    room.told[2], room.told[3] = room.told[3], room.told[2]


def _store_in_another_order(room: Room) -> None:
    for rows in (room.stored, room.told):
        rows[2], rows[3] = rows[3], rows[2]


def _invent(room: Room) -> None:
    room.sent.remove("m7")


def _tell_a_ghost(room: Room) -> None:
    room.ears[2].steps.append(Said("ghost", "b", 111))


def _never_join(room: Room) -> None:
    room.ears[2].steps.clear()


PLANTED: dict[str, tuple[Callable[[Room], None], str]] = {
    "acknowledged, not stored": (_lose_from_the_store, "m6 was acknowledged at 6 and is not stored"),
    "lost at the end": (_lose_for_one, "late: does not have m110"),
    "a silent hole": (_lose_in_the_middle, "stayed: heard m4 at 4 after 2: a hole"),
    "heard twice": (_double, "stayed: heard m3 at 3 after 3: an older one"),
    "heard twice in two places": (_double_with_a_new_number, "late: m110 was heard 2 times"),
    "stored twice": (_store_twice, "m3 is stored 2 times"),
    "swapped": (_swap, "late: heard m107 at 107 after 105: a hole"),
    "swapped for one": (_swap_with_numbers, "late: heard m107 where others have m106"),
    "acknowledged elsewhere": (_store_elsewhere, "was acknowledged at 15 and is stored at 5"),
    "a silent epoch": (_change_the_epoch_silently, "stayed: heard m101 of another epoch at 101"),
    "not read again": (_forget_to_read, "away: did not read the history"),
    "stored late": (_store_after_everybody_has_read, "stayed: does not have late, which is stored at 11"),
    "told otherwise": (_tell_another_order, "the history tells something else"),
    "stored out of order": (_store_in_another_order, "m3 is stored at 3, after 4"),
    "invented": (_invent, "m7 was never sent"),
    "never stored": (_tell_a_ghost, "late: has ghost at 111, where nothing like that is stored"),
    "never joined": (_never_join, "late: never joined"),
}


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_fault_is_found(plant: str) -> None:
    """And named."""
    room = good()
    change, expected = PLANTED[plant]
    change(room)
    found = faults(room)
    assert [each for each in found if expected in each], found
