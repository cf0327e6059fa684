"""One timer for all sockets."""

from __future__ import annotations

import asyncio

from ws.wheel import Wheel


class Timed:
    """Remembers when it was looked at, and wants to be looked at again so much later."""

    def __init__(self, again: float | None = None, fault: bool = False) -> None:
        self.looked: list[float] = []
        self._again = again
        self._fault = fault

    def check(self, now: float) -> float | None:
        """Look."""
        self.looked.append(now)
        if self._fault:
            raise RuntimeError("broken socket")
        return None if self._again is None else now + self._again


async def a_wheel() -> tuple[Wheel, float]:
    """A wheel that only the test turns, and the time on it."""
    wheel = Wheel(asyncio.get_running_loop())
    return wheel, float(int(wheel.now))


async def test_what_is_due_fires_once_its_time_has_passed() -> None:
    """Never early, at most a turn late."""
    wheel, t = await a_wheel()
    timed = Timed()
    wheel.add(timed, t + 5.5)
    wheel.advance(t + 5)
    assert timed.looked == []
    wheel.advance(t + 6)
    assert timed.looked == [t + 6]
    wheel.advance(t + 60)
    assert len(timed.looked) == 1


async def test_what_asks_for_it_fires_again() -> None:
    """A ping every 25 s, say."""
    wheel, t = await a_wheel()
    timed = Timed(again=25)
    wheel.add(timed, t + 25)
    for second in range(1, 80):
        wheel.advance(t + second)
    assert [moment - t for moment in timed.looked] == [26, 52, 78]


async def test_a_late_turn_catches_up_on_everything_it_missed() -> None:
    """A worker that was stopped for 10 s forgets no deadline."""
    wheel, t = await a_wheel()
    several = [Timed() for _ in range(3)]
    for place, timed in enumerate(several):
        wheel.add(timed, t + 2 + place)
    wheel.advance(t + 10)
    assert all(timed.looked == [t + 10] for timed in several)


async def test_one_broken_socket_does_not_stop_the_clock_of_the_others() -> None:
    """Its failure is logged."""
    wheel, t = await a_wheel()
    broken, sound = Timed(fault=True), Timed()
    wheel.add(broken, t + 1)
    wheel.add(sound, t + 1)
    wheel.advance(t + 3)
    assert (len(broken.looked), len(sound.looked)) == (1, 1)


async def test_something_runs_at_every_turn() -> None:
    """The broker's sign of life, for one."""
    wheel, t = await a_wheel()
    turns: list[float] = []
    wheel.every_second(turns.append)
    wheel.advance(t + 1)
    wheel.advance(t + 2)
    assert turns == [t + 1, t + 2]


async def test_it_turns_by_itself_and_stands_still_when_closed() -> None:
    """Started, it advances about once a second."""
    wheel, _ = await a_wheel()
    turned = asyncio.Event()
    wheel.every_second(lambda _now: turned.set())
    wheel.start()
    await asyncio.wait_for(turned.wait(), 10)
    wheel.close()
