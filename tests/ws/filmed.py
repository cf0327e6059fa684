"""Films of bodies for tests of sockets: frames as a camera app sends them."""

from __future__ import annotations

from typing import Any

from fittracker.form import Point
from tests.fittracker.form.skeletons import Camera, Shape, course, film, squat
from tests.peer import Peer

Sent = dict[str, Any]
FPS = 12.0


def sent(t: float, points: list[Point | None]) -> Sent:
    """A frame on the wire; tenths of a pixel are enough."""
    return {
        "t": t,
        "points": [
            None if each is None else [round(each.x, 1), round(each.y, 1), None, each.visibility]
            for each in points
        ],
    }


def squats(count: int, shape: Shape | None = None, *, start_ms: float = 1_795_000_000_000.0) -> list[Sent]:
    """So many squats from the side, by COCO's points."""
    camera = Camera("coco17")
    filmed = film(
        shape or squat(), course(count), camera, seconds=1 + 3.8 * count, fps=FPS, start_ms=start_ms
    )
    return [sent(t, points) for t, points in filmed]


async def push(peer: Peer, analysis: str, frames: list[Sent], at_once: int = 20) -> None:
    """As an app does it: without ids."""
    for start in range(0, len(frames), at_once):
        await peer.send("form.push", {"analysis": analysis, "frames": frames[start : start + at_once]})


async def opened(peer: Peer, **more: Any) -> str:
    """An analysis of squats, unless `exercise` says otherwise."""
    answer = await peer.call("form.open", **{"exercise": "squat", "model": "coco17", **more})
    return str(answer["analysis"])
