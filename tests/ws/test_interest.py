"""What a worker believes about the ears of the others."""

from __future__ import annotations

from ws.interest import NOTED_S, Interest


def test_a_room_that_nobody_else_reads_is_alone_until_the_note_has_aged() -> None:
    """Aging is what repairs a belief that became wrong without a word: after 5 to 10 s it is gone."""
    interest = Interest()
    interest.age(0.0)
    assert not interest.alone("heart:a")
    interest.note("heart:a", interest.changes)
    interest.age(1.0)
    assert interest.alone("heart:a")
    interest.age(NOTED_S)
    assert interest.alone("heart:a")
    interest.age(2 * NOTED_S)
    assert not interest.alone("heart:a")


def test_whoever_begins_to_listen_strikes_the_note_out_however_old_it_is() -> None:
    """A watcher on another worker gets the next sample, not the one after the note has aged."""
    interest = Interest()
    interest.age(0.0)
    interest.note("heart:old", interest.changes)
    interest.note("heart:other", interest.changes)
    interest.age(NOTED_S)
    interest.note("heart:new", interest.changes)
    interest.strike("heart:old")
    interest.strike("heart:new")
    assert [interest.alone(f"heart:{name}") for name in ("old", "new", "other")] == [False, False, True]


def test_an_answer_that_was_asked_for_before_somebody_began_to_listen_is_not_believed() -> None:
    """It travels on another connection than the word of the listener, and may come after it."""
    interest = Interest()
    asked = interest.changes
    interest.strike("heart:a")
    interest.note("heart:a", asked)
    assert not interest.alone("heart:a")


def test_a_replaced_connection_leaves_nothing_known() -> None:
    """What was said while it was gone was not heard."""
    interest = Interest()
    interest.note("heart:a", interest.changes)
    asked = interest.changes
    interest.forget()
    assert not interest.alone("heart:a")
    interest.note("heart:a", asked)
    assert not interest.alone("heart:a")
