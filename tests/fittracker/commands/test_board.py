from __future__ import annotations

from io import StringIO

from rich.console import Console

from fittracker.client import ConnectionChange, Event, HrAlert, HrStale, HrSummary, HrUpdate, Summary
from fittracker.commands.board import COLOURS, Board


def update(bpm: int = 150, zone: int = 3, **more: object) -> Event:
    return Event("hr.update", HrUpdate("u1", 1, bpm, zone, **more))  # type: ignore[arg-type]


def shown(board: Board) -> str:
    """The table as text."""
    out = StringIO()
    Console(file=out, width=140, color_system=None).print(board.table())
    return out.getvalue()


def test_an_update_is_a_line_and_a_row() -> None:
    """Name, heart rate, zone, share of reserve, RMSSD."""
    board = Board({"u1": "Mira"})
    assert board.take(update(hrr_pct=66.7, rmssd_ms=12.34)) == "Mira: 150 bpm zone 3 67 % RMSSD 12.3"
    table = shown(board)
    for cell in ("Mira", "150", "3", "67", "12.3"):
        assert cell in table
    assert board.updates == 1


def test_somebody_unknown_is_shown_by_id() -> None:
    """Names come from the room, and not everybody is in it."""
    assert Board({}).take(update()) == "u1: 150 bpm zone 3"


def test_the_zone_has_a_colour() -> None:
    """Six of them, the last for the highest."""
    board = Board({})
    for zone in range(6):
        board.take(update(zone=zone))
        (cell,) = list(board.table().columns[1].cells)
        assert COLOURS[zone] in str(getattr(cell, "style", ""))


def test_lost_contact_and_silence_are_marked_until_the_heart_is_back() -> None:
    """The last heart rate must not look like the present one."""
    board = Board({"u1": "Mira"})
    board.take(update())
    assert board.take(update(bpm=0, contact=False)) == "Mira: no contact"
    assert "lost contact" in shown(board)
    assert board.take(Event("hr.stale", HrStale("u1"))) == "Mira: silent"
    assert "silent" in shown(board)
    board.take(update())
    assert "silent" not in shown(board)
    assert "lost contact" not in shown(board)


def test_alerts_and_summaries_stay_in_the_row() -> None:
    """Until the next one."""
    board = Board({"u1": "Mira"})
    board.take(update())
    assert board.take(Event("hr.alert", HrAlert("u1", "high", 191, 185, 0))) == (
        "Mira: alert: high at 191 bpm (limit 185)"
    )
    assert "high at 191 bpm" in shown(board)
    done = Event("hr.summary", HrSummary("u1", "w", Summary(9, 8.0, 154.04, 178)))
    assert board.take(done) == "Mira: finished, average 154.0, maximum 178"
    assert "finished" in shown(board)
    empty = Event("hr.summary", HrSummary("u1", "w", Summary(0, 0.0)))
    assert board.take(empty) == "Mira: finished, average -, maximum -"


def test_a_lost_connection_is_said() -> None:
    """A table that stands still may mislead."""
    board = Board({})
    assert board.take(Event("client.disconnected", ConnectionChange(1012, "restart"))) == (
        "connection lost: restart"
    )
    assert "coming back" in shown(board)
    assert board.take(Event("client.connected", ConnectionChange())) == "connected"
    assert "coming back" not in shown(board)


def test_what_is_of_no_concern_is_no_line() -> None:
    """Hello, presence, and whatever a newer server says."""
    board = Board({})
    assert board.take(Event("presence.joined", {"user": "u1"})) is None
    assert board.rows == {}


def test_people_are_in_the_order_of_their_names() -> None:
    """Rows must not jump when somebody is heard first."""
    board = Board({"u1": "Zoe", "u2": "Ada"})
    board.take(update())
    board.take(Event("hr.update", HrUpdate("u2", 1, 90, 1)))
    table = shown(board)
    assert table.index("Ada") < table.index("Zoe")


def test_what_is_said_is_shown_below_the_table_the_newest_last() -> None:
    """Chat with the name it came with, cues with the name of whoever gives them."""
    board = Board({"u9": "Carla Coach"})
    said = Event("chat.message", {"user": "u1", "name": "Mira", "text": "Here I am"})
    assert board.take(said) == "Mira: Here I am"
    cue = Event("session.cue", {"by": "u9", "kind": "text", "text": "Faster"})
    assert board.take(cue) == "Carla Coach: Faster"
    below = shown(board)
    assert below.index("Here I am") < below.index("Carla Coach: Faster")
    for number in range(5):
        board.take(Event("session.cue", {"by": "u9", "text": f"cue {number}"}))
    assert "Here I am" not in shown(board)


def test_a_text_cannot_move_the_cursor_of_who_watches() -> None:
    """Nor is it markup."""
    board = Board({})
    line = board.take(Event("chat.message", {"user": "u1", "name": "M", "text": "\x1b[2J[red]x\n"}))
    assert line == "M:  [2J[red]x "
    assert "[red]x" in shown(board)


def test_a_cue_without_words_is_no_line() -> None:
    """A rest is told by its timer."""
    assert Board({}).take(Event("session.cue", {"by": "u9", "kind": "rest", "text": None})) is None
