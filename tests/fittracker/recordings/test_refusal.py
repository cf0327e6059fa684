"""How a refused file is told."""

from __future__ import annotations

import pickle

from fittracker.errors import Invalid
from fittracker.recordings.refusal import Defect, RecordingError, broken, refuse


def test_a_refusal_is_invalid_input_of_the_one_vocabulary() -> None:
    """422, with the sentence also at the field that the file was sent in."""
    error = RecordingError(broken("truncated", "the file is cut off", 12))
    assert isinstance(error, Invalid)
    assert (error.code, error.status) == ("invalid", 422)
    assert (error.reason, error.readable) == ("truncated", 12)
    assert str(error) == error.detail == "the file is cut off; 12 points could be read"
    assert error.fields == {"file": error.detail}


def test_one_point_is_one_point() -> None:
    """People read it."""
    assert broken("crc", "wrong", 1).detail == "wrong; 1 point could be read"
    assert broken("crc", "wrong", 0).detail == "wrong; 0 points could be read"


def test_a_refusal_survives_the_way_between_processes() -> None:
    """With its reason and its count."""
    error = pickle.loads(pickle.dumps(refuse("doctype", "no")))
    assert isinstance(error, RecordingError)
    assert error.defect == Defect("doctype", "no", 0)
