"""Bluetooth Heart Rate Measurement, against published vectors and against our own encoder."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fittracker.ble import Measurement, decode, encode
from fittracker.errors import Invalid
from tests.fittracker.recorded import beats, payloads, vectors

WORD = st.integers(0, 0xFFFF)


def test_every_published_vector_decodes():
    found = vectors("vectors")
    assert len(found) == 11
    for vector in found:
        expect = vector["expect"]
        rr = [raw * 1000 / 1024 for raw in expect["rr_raw"]]
        wanted = Measurement(expect["hr"], expect["contact"], expect["ee"], rr)
        assert decode(bytes.fromhex(vector["hex"])) == wanted, vector["name"]


def test_every_truncated_vector_is_refused():
    found = vectors("truncated")
    assert len(found) == 4
    for vector in found:
        with pytest.raises(Invalid):
            decode(bytes.fromhex(vector["hex"]))


def test_the_two_payloads_of_the_formulas_decode():
    first = decode(bytes.fromhex("164B2D032A03"))
    assert (first.bpm, first.contact, first.energy_kj) == (75, True, None)
    assert first.rr == pytest.approx([793.945, 791.016], abs=0.0005)
    second = decode(bytes.fromhex("1F2C01102700033303"))
    assert (second.bpm, second.contact, second.energy_kj) == (300, True, 10_000)
    assert second.rr == pytest.approx([750, 799.805], abs=0.0005)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hrm-2a37-from-garmin-edge820-bike-rr.hex", "from-fit-garmin-edge820-bike-rr.txt"),
        ("hrm-2a37-from-garmin-fenix5-run-rr.hex", "from-fit-garmin-fenix5-run-rr.txt"),
    ],
)
def test_the_beats_of_a_recording_come_out_as_they_went_in(name, source):
    """Every beat, in order, to within half of 1/1024 s."""
    found = [interval for payload in payloads(name) for interval in decode(payload).rr]
    assert found == pytest.approx(beats(source), abs=1000 / 1024 / 2 + 0.001)


@pytest.mark.parametrize(
    "cut",
    [
        "",
        "00",
        "10",
        "01aa",
        "08aa",
        "08aabb",
        "09aa01bb",
        "10aa",
        "10aaa1",
        "10aaa101a2",
        "18aabb01",
        "1faa01bb01",
    ],
)
def test_a_payload_that_is_cut_is_refused(cut):
    """Also one that announces RR intervals and has none."""
    with pytest.raises(Invalid):
        decode(bytes.fromhex(cut))


@pytest.mark.parametrize("odd", ["00aa00", "06aabb01", "01aa0100", "08aabb0100"])
def test_bytes_that_nothing_announced_are_refused(odd):
    with pytest.raises(Invalid):
        decode(bytes.fromhex(odd))


@pytest.mark.parametrize("reserved", [0x20, 0x40, 0x80, 0xE0])
def test_reserved_bits_are_ignored(reserved):
    assert decode(bytes([0x06 | reserved, 0x4B])) == decode(bytes([0x06, 0x4B]))
    long = bytes.fromhex("164B2D032A03")
    assert decode(bytes([long[0] | reserved]) + long[1:]) == decode(long)


@pytest.mark.parametrize(("bits", "contact"), [(0, None), (2, None), (4, False), (6, True)])
def test_contact_is_unknown_where_the_sensor_cannot_tell(bits, contact):
    assert decode(bytes([bits, 75])).contact is contact
    assert decode(bytes([bits | 0x10, 75, 0, 3])).contact is contact


def test_a_view_into_a_larger_frame_decodes_like_the_bytes_themselves():
    frame = memoryview(bytes.fromhex("0100070000000116 164B2D032A03"))
    assert decode(frame[8:]) == decode(bytes(frame[8:]))
    assert decode(frame[8:10].tobytes()[:0] + b"\x06\x4b") == decode(memoryview(b"\x06\x4b"))


def test_two_measurements_never_share_their_list_of_intervals():
    first, second = decode(b"\x06\x4b"), decode(b"\x06\x4b")
    first.rr.append(1.0)
    assert second.rr == []


@settings(deadline=None)
@given(
    bpm=WORD,
    contact=st.sampled_from([None, False, True]),
    energy=st.none() | WORD,
    raw=st.lists(WORD, max_size=300),
)
@example(bpm=255, contact=None, energy=None, raw=[])
@example(bpm=256, contact=True, energy=0, raw=[0] * 127)
@example(bpm=0, contact=False, energy=65535, raw=[65535] * 128)
def test_what_is_encoded_decodes_to_itself(bpm, contact, energy, raw):
    rr = [value * 1000 / 1024 for value in raw]
    assert decode(encode(bpm, contact, energy, rr)) == Measurement(bpm, contact, energy, rr)


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_and_nothing_else(payload):
    """What is read says the same again when it is encoded."""
    try:
        found = decode(payload)
    except Invalid:
        return
    assert decode(encode(found.bpm, found.contact, found.energy_kj, found.rr)) == found


def test_an_interval_is_encoded_to_the_nearest_1024th():
    assert encode(75, True, None, [793.9, 791]).hex() == "164b2d032a03"


@pytest.mark.parametrize(
    ("bpm", "energy", "rr"),
    [(-1, None, []), (65536, None, []), (75, 65536, []), (75, None, [64001]), (75, None, [float("nan")])],
)
def test_values_that_do_not_fit_are_not_encoded(bpm, energy, rr):
    with pytest.raises(Invalid):
        encode(bpm, None, energy, rr)
