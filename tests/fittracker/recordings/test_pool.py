"""Reading in processes: limited, killed when they hang, and good again for the next file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from fittracker.errors import Unavailable
from fittracker.recordings import RecordingError, RecordingReader, read
from tests.fittracker.recordings.fit_bytes import fit_file, records
from tests.fittracker.recordings.parsers import misbehave
from tests.fittracker.recordings.real_files import recording_bytes

RIDE = fit_file(records(100, 101, 102))
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def reader() -> AsyncIterator[RecordingReader]:
    """One process with a parser that does what the bytes say, two seconds of time and 512 MiB."""
    async with RecordingReader(timeout_s=2, memory_bytes=512 << 20, parser=misbehave) as reader:
        yield reader


async def gone(pid: int) -> None:
    """Wait until a process is no more; one that only waits to be counted by its parent is gone."""
    async with asyncio.timeout(20):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_a_recording_read_in_a_process_is_the_same_recording() -> None:
    """All of it, through the pipe: points, laps, intervals, dates."""
    data = recording_bytes("garmin-fenix5-run-rr.fit")
    async with RecordingReader() as reader:
        assert await reader.read(data, name="run.fit") == read(data)


async def test_the_largest_recording_is_read_in_a_few_seconds() -> None:
    """6.8 hours, one megabyte, 24,239 points; the limit is ten times what it takes."""
    data = recording_bytes("garmin-fenix2-multisport.fit")
    async with RecordingReader(timeout_s=15) as reader:
        assert len((await reader.read(data)).points) == 24_239


async def test_a_refusal_comes_back_with_its_reason_and_its_count(reader: RecordingReader) -> None:
    """And asked to keep what could be read, the process sends it."""
    with pytest.raises(RecordingError, match="cut off; 2 points") as caught:
        await reader.read(RIDE[:-5])
    assert (caught.value.reason, caught.value.readable) == ("truncated", 2)

    kept = await reader.read(RIDE[:-5], keep_partial=True)
    assert kept.error == caught.value.defect
    assert len(kept.points) == 2


async def test_a_parser_that_hangs_is_killed_and_the_next_file_is_read(reader: RecordingReader) -> None:
    """It burns a core and ignores SIGTERM: the process must really end, not only be given up."""
    await reader.read(RIDE)
    (hanging,) = reader.pids
    with pytest.raises(RecordingError, match="longer than 2 s") as caught:
        await reader.read(b"hang")
    assert (caught.value.reason, caught.value.readable) == ("timeout", 0)
    await gone(hanging)

    assert len((await reader.read(RIDE)).points) == 3
    assert reader.pids
    assert reader.pids != [hanging]


async def test_a_file_that_hangs_takes_no_other_file_with_it() -> None:
    """Each process has its own executor: those beside the killed one answer."""
    async with RecordingReader(processes=2, timeout_s=2, parser=misbehave) as reader:
        await asyncio.gather(reader.read(RIDE), reader.read(RIDE))
        outcomes = await asyncio.gather(
            reader.read(b"hang"), *(reader.read(RIDE) for _ in range(5)), return_exceptions=True
        )
    assert isinstance(outcomes[0], RecordingError)
    assert outcomes[1:] == [read(RIDE)] * 5


async def test_a_file_that_eats_memory_is_refused_and_the_process_lives(reader: RecordingReader) -> None:
    """The limit is the system's: the machine never sees the rest of the appetite."""
    await reader.read(RIDE)
    before = reader.pids
    with pytest.raises(RecordingError) as caught:
        await reader.read(b"eat")
    assert caught.value.reason == "memory"
    assert len((await reader.read(RIDE)).points) == 3
    assert reader.pids == before


async def test_a_process_that_falls_over_is_replaced(reader: RecordingReader) -> None:
    """The file may have been innocent: it may be sent again."""
    with pytest.raises(Unavailable):
        await reader.read(b"fall")
    assert len((await reader.read(RIDE)).points) == 3


async def test_nobody_waits_for_a_file_whose_sender_left(reader: RecordingReader, tmp_path: Path) -> None:
    """The request is cancelled in the middle: the process goes at once, the next one gets another."""
    await reader.read(RIDE)
    (busy,) = reader.pids
    begun = tmp_path / "begun"
    reading = asyncio.create_task(reader.read(b"hang", name=str(begun)))
    async with asyncio.timeout(20):
        while not begun.exists():
            await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await gone(busy)
    assert len((await reader.read(RIDE)).points) == 3


async def test_a_closed_reader_has_no_processes_and_reads_nothing() -> None:
    """Also when it is closed while somebody waits for an answer."""
    reader = RecordingReader(timeout_s=60, parser=misbehave)
    await reader.read(RIDE)
    (pid,) = reader.pids
    waiting = [asyncio.create_task(reader.read(b"hang")) for _ in range(2)]
    await asyncio.sleep(0)
    await reader.close()
    assert reader.pids == []
    assert not psutil.pid_exists(pid)
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    with pytest.raises(Unavailable):
        await reader.read(RIDE)


async def test_a_reader_may_be_closed_while_its_process_starts() -> None:
    """A server that is told to stop right after the first upload."""
    reader = RecordingReader()
    starting = asyncio.create_task(reader.read(RIDE))
    await asyncio.sleep(0)
    await reader.close()
    with pytest.raises(Unavailable):
        await starting
    assert reader.pids == []


async def test_a_sender_may_leave_while_the_process_starts() -> None:
    """The next file gets a process of its own."""
    async with RecordingReader() as reader:
        starting = asyncio.create_task(reader.read(RIDE))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert len((await reader.read(RIDE)).points) == 3


async def test_the_processes_end_with_a_server_that_was_killed() -> None:
    """SIGKILL closes nothing: they watch their parent by themselves."""
    script = (
        "import asyncio, os, signal\n"
        "from fittracker.recordings import RecordingReader\n"
        "async def main():\n"
        "    reader = RecordingReader()\n"
        f"    await reader.read({RIDE!r})\n"
        "    print(*reader.pids, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    server = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert server.returncode == -9, server.stderr
    await gone(int(server.stdout))
