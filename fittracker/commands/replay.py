"""`fittracker replay`: a recording, streamed as the wearable that made it would have."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fittracker.client import Device, HeartStream, HrClosed, Sample
from fittracker.commands.ending import BAD_FILE, REFUSED, stop, told
from fittracker.commands.figures import count, summary_lines
from fittracker.commands.target import Target, target_options
from fittracker.recordings import Recording, read

MOST_RR = 64
MOST_RR_MS = 10_000
TICK_S = 0.02
LOOK_S = 0.1


@click.command("replay")
@told
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@target_options
@click.option(
    "--speed",
    default=20.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Times as fast as it was; 0 for as fast as the server takes it.",
)
@click.option("--binary", is_flag=True, help="Send binary frames, as devices do that count bytes.")
@click.option("--session", help="A coaching session whose members see it.")
@click.option("--stream", type=click.UUID, help="Go on with this stream, after what is stored of it.")
@click.option("--keep-partial", is_flag=True, help="Of a damaged file, send what can be read.")
def command(
    file: Path,
    target: Target,
    speed: float,
    binary: bool,
    session: str | None,
    stream: UUID | None,
    keep_partial: bool,
) -> None:
    """Stream a recording to the server as a wearable, wait until all is stored, and sum it up.

    \b
    Ends with 0 when every sample is acknowledged and stored,
    3 where the file cannot be used, 4 where the server refuses,
    5 where it cannot be reached, 6 where nothing says who we are.
    """
    recording = read(file.read_bytes(), name=file.name, keep_partial=keep_partial)
    samples = playable(recording)
    stream = stream or uuid4()
    click.echo(f"stream    {stream} (to go on after a break: --stream {stream})", err=True)
    closed = asyncio.run(_replay(target, recording, samples, stream, session, speed, binary))
    stored = closed.summary.samples
    click.echo(f"{count(stored, 'sample')} acknowledged and stored")
    for line in summary_lines(closed.summary):
        click.echo(line)
    click.echo(f"workout   {closed.workout}")
    if stored != len(samples):
        raise stop(f"the recording has {count(len(samples), 'sample')}", REFUSED)


def playable(recording: Recording) -> list[Sample]:
    """What a wearable would have sent; ends the command where the recording has no dates or no heart rate.

    RR intervals that no heart has (0, or over 10 s) are left out: a server refuses them.
    """
    if not recording.dated:
        raise stop("the recording has no dates: its device had lost the time", BAD_FILE)
    samples = [
        Sample(
            each.t_ms,
            each.bpm,
            [interval for interval in each.rr if 0 < interval <= MOST_RR_MS][:MOST_RR],
            each.contact,
        )
        for each in recording.samples()
    ]
    if not samples:
        raise stop("the recording has no heart rate with times", BAD_FILE)
    return samples


def _device(recording: Recording) -> Device:
    device = recording.device
    name = " ".join(filter(None, (device.manufacturer, device.product, device.name)))
    return Device(name[:100] or "recording", "replay")


async def _replay(
    target: Target,
    recording: Recording,
    samples: list[Sample],
    stream_id: UUID,
    session: str | None,
    speed: float,
    binary: bool,
) -> HrClosed:
    async with target.client() as client:
        stream = await client.open_stream(
            stream=stream_id,
            sport=recording.sport,
            session=session,
            device=_device(recording),
            binary=binary,
        )
        with _progress() as progress:
            showing = asyncio.create_task(_show(progress, stream, len(samples)))
            try:
                await pace(stream, samples[stream.acked :], speed)
                await stream.flush()
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
        return await stream.close()


async def pace(stream: HeartStream, samples: list[Sample], speed: float) -> None:
    """Push the samples when they fall due; those that are due together go together."""
    loop = asyncio.get_running_loop()
    began, place = loop.time(), 0
    while place < len(samples):
        played_ms = (loop.time() - began) * 1000 * speed
        end = place
        while end < len(samples) and (speed == 0 or samples[end].t - samples[0].t <= played_ms):
            end += 1
        await stream.push(samples[place:end])
        place = end
        if place < len(samples):
            due = began + (samples[place].t - samples[0].t) / 1000 / speed
            await asyncio.sleep(max(due - loop.time(), TICK_S))


def _progress() -> Progress:
    """A bar on standard error; nothing where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("stored"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


async def _show(progress: Progress, stream: HeartStream, total: int) -> None:
    task = progress.add_task("stored", total=total)
    try:
        while True:
            progress.update(task, completed=stream.acked)
            await asyncio.sleep(LOOK_S)
    finally:
        progress.update(task, completed=stream.acked)
