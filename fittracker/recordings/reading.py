"""Reading a recording of any format, picked by its content: names lie."""

from __future__ import annotations

import codecs
from typing import Final

import msgspec

from fittracker.recordings import gpx, tcx
from fittracker.recordings.draft import Draft
from fittracker.recordings.fit import read_fit
from fittracker.recordings.gpx import GpxElements
from fittracker.recordings.markup import Elements, MarkupError, read_markup, strip_start
from fittracker.recordings.recording import Format, Recording
from fittracker.recordings.refusal import DEFAULT_LIMITS, Defect, Limits, RecordingError, broken, refuse
from fittracker.recordings.tcx import TcxElements
from fittracker.recordings.unpack import unpack

# The first byte of FIT is the length of its header; neither is a character that text begins with.
FIT_HEADERS: Final = (b"\x0c", b"\x0e")
UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read(
    data: bytes, *, name: str = "", keep_partial: bool = False, limits: Limits = DEFAULT_LIMITS
) -> Recording:
    """Read a FIT, TCX or GPX file, also gzipped or as the only file of a zip.

    `name` only helps to say what a file was meant to be where its content does not. Raises `RecordingError`;
    with `keep_partial` a file that is cut, damaged or has a wrong checksum gives what could be read, and
    `Recording.error` says what is missing. A file that has nothing to keep is refused all the same.
    This takes time and memory in proportion to a stranger's file: a server uses `RecordingReader`.
    """
    unpacked = unpack(data, limits)
    if not unpacked.data:
        raise refuse(unpacked.fault or "empty", "the file is empty")
    recording = _read_plain(unpacked.data, name, limits)
    if unpacked.fault and (recording.error is None or recording.error.reason == "truncated"):
        fault = "the gzip is cut off" if unpacked.fault == "truncated" else "the gzip is damaged"
        recording = _with_error(recording, broken(unpacked.fault, fault, len(recording.points)))
    if recording.error and not keep_partial:
        raise RecordingError(recording.error)
    return recording


def _with_error(recording: Recording, error: Defect) -> Recording:
    return msgspec.structs.replace(recording, error=error)


def _read_plain(data: bytes, name: str, limits: Limits) -> Recording:
    if data.startswith(FIT_HEADERS) or data[8:12] == b".FIT":
        return read_fit(data, limits)
    if strip_start(data[:1024]).startswith(b"<") or data.startswith(UTF16):
        return _read_xml(data, limits)
    if name.lower().removesuffix(".gz").endswith(".fit"):
        raise refuse("header", "this is not a FIT file: its header cannot be read")
    raise refuse("unknown_format", "this is neither a FIT, a TCX nor a GPX file")


def _read_xml(data: bytes, limits: Limits) -> Recording:
    draft = Draft(limits)
    found: list[Format] = []

    def choose(root: str) -> Elements:
        if root == tcx.ROOT:
            found.append("tcx")
            return TcxElements(draft)
        if root == gpx.ROOT:
            found.append("gpx")
            return GpxElements(draft)
        raise refuse("unknown_format", "this is XML, but neither TCX nor GPX")

    defect: Defect | None = None
    try:
        read_markup(data, choose)
    except MarkupError as fault:
        what = "the file is cut off" if fault.cut else "the file is damaged"
        defect = broken("truncated" if fault.cut else "corrupt", f"{what} ({fault})", len(draft.points))
    if not found:
        raise RecordingError(defect or Defect("unknown_format", "this is XML without content"))
    return draft.finish(found[0], defect)
