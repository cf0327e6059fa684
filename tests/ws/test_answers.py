"""Commands and their answers meet in the order in which they were sent."""

from __future__ import annotations

from typing import Any

from ws.answers import Answers


def test_each_answer_goes_to_the_command_that_is_the_oldest() -> None:
    """Redis answers in order; whoever does not care takes none."""
    answers = Answers()
    got: list[Any] = []
    answers.expect(got.append, 1.0)
    answers.expect(None, 2.0)
    answers.expect(lambda reply: got.append(-reply), 3.0)
    for reply in (10, 20, 30):
        answers.come(reply, 4.0)
    assert got == [10, -30]
    assert len(answers) == 0


def test_silence_is_counted_from_the_last_answer_or_from_the_oldest_command_since() -> None:
    """A command that follows another one does not make the connection look alive."""
    answers = Answers()
    answers.expect(None, 1.0)
    answers.expect(None, 5.0)
    assert answers.since == 1.0
    answers.come("OK", 6.0)
    assert answers.since == 6.0
    answers.come("OK", 7.0)
    answers.expect(None, 20.0)
    assert answers.since == 20.0


def test_a_lost_connection_answers_everybody_once() -> None:
    """Nobody waits for ever, and nobody is told twice."""
    answers = Answers()
    got: list[Any] = []
    answers.expect(got.append, 1.0)
    answers.expect(None, 1.0)
    answers.lose(ConnectionError("gone"))
    answers.lose(ConnectionError("again"))
    assert [str(reply) for reply in got] == ["gone"]
    assert len(answers) == 0
