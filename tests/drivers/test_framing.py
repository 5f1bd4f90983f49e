"""A stream has no edges: the frames are the same however it was split, and noise costs itself alone."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import framing
from drivers.checks import sum8
from drivers.framing import Framer, Framing, frames_in

LINES = framing.lines(rb"W=", 32)
PACKETS = framing.between(b"\x1bR", b"\x1bE", 32)
FIXED = framing.fixed(rb"\x51", 5, lambda one: one[-1] == sum8(one[:-1]))
COUNTED = framing.sized(rb"\x02", lambda window: window[1] + 2 if len(window) > 1 else 0, 257)
REPLIES = framing.ended(rb"END\r\n", 64)
BLOCKS = framing.blocks(rb"(?m)^HEAD", 64, 5.0)
PAUSED = framing.by_silence(16, 0.1)
EACH = [LINES, PACKETS, FIXED, COUNTED, REPLIES, BLOCKS, PAUSED]
each_framing = pytest.mark.parametrize("which", EACH)

SAMPLES = {
    id(LINES): b"W=1\r\n",
    id(PACKETS): b"\x1bRa\x1bE",
    id(FIXED): b"\x51\x01\x02\x03" + bytes((0x57,)),
}
# Bytes that begin no frame of the three above.
NOISE = st.binary(max_size=40).map(lambda raw: bytes(byte for byte in raw if byte not in b"W\x1b\x51\n"))


def pieces(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for begin, end in pairwise(edges):
        yield stream[begin:end]


def fed(which: Framing, chunks: Iterator[bytes]) -> tuple[list[bytes], int, int]:
    framer = Framer(which)
    frames: list[bytes] = []
    for chunk in chunks:
        frames += framer.feed(chunk)
        assert framer.held < which.longest
    return frames, framer.dropped, framer.held


STREAMS = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([*SAMPLES.values(), b"\x02\x03abc", b"x END\r\n", b"HEAD\r\na\r\n", b"\n", b"\x1bR", b"END"]),
    ),
    max_size=12,
).map(b"".join)


@each_framing
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_split_gives_the_same_frames(which: Framing, stream: bytes, cuts: list[int]) -> None:
    assert fed(which, pieces(stream, cuts)) == fed(which, iter([stream]))


@each_framing
@given(stream=STREAMS)
def test_every_byte_is_in_a_frame_dropped_or_held(which: Framing, stream: bytes) -> None:
    frames, dropped, held = fed(which, iter([stream]))
    assert sum(map(len, frames)) + dropped + held == len(stream)


@each_framing
@given(stream=STREAMS)
def test_after_silence_nothing_is_held(which: Framing, stream: bytes) -> None:
    framer = Framer(which)
    frames = framer.feed(stream) + framer.silent()
    assert framer.held == 0
    assert sum(map(len, frames)) + framer.dropped == len(stream)


@pytest.mark.parametrize("which", [LINES, PACKETS, FIXED])
@given(noise=st.lists(NOISE, min_size=4, max_size=4))
def test_noise_costs_itself_alone(which: Framing, noise: list[bytes]) -> None:
    frame = SAMPLES[id(which)]
    framer = Framer(which)
    assert framer.feed(frame.join(noise)) + framer.silent() == [frame] * 3
    assert framer.dropped == sum(map(len, noise))


@each_framing
@pytest.mark.parametrize("byte", [b"\x00", b"\x02", b"\x1b", b"\x51", b"W", b"\xff"])
def test_what_never_becomes_a_frame_is_not_kept(which: Framing, byte: bytes) -> None:
    framer = Framer(which)
    for _ in range(40):
        framer.feed(byte * 100)
        assert framer.held < which.longest


def test_a_frame_entered_in_its_middle_costs_only_its_rest() -> None:
    assert frames_in(b"2\r\nW=3\r\n", LINES) == [b"W=3\r\n"]
    assert frames_in(b"a\x1bE\x1bRb\x1bE", PACKETS) == [b"\x1bRb\x1bE"]


def test_a_frame_that_begins_again_was_cut_off() -> None:
    assert frames_in(b"\x1bRabc\x1bRd\x1bE", PACKETS) == [b"\x1bRd\x1bE"]


def test_a_frame_behind_a_damaged_length_is_found_when_the_line_falls_silent() -> None:
    framer = Framer(COUNTED)
    assert framer.feed(b"\x02\xff" + b"\x02\x01a") == []
    assert framer.silent() == [b"\x02\x01a"]
    assert framer.dropped == 2


def test_only_a_pause_ends_a_frame_without_a_mark() -> None:
    framer = Framer(PAUSED)
    assert framer.feed(b"\x00\x4a") + framer.feed(b"\x60\x00") == []
    assert framer.silent() == [b"\x00\x4a\x60\x00"]
    assert framer.silent() == []


def test_a_block_goes_on_to_the_next_header() -> None:
    framer = Framer(BLOCKS)
    assert framer.feed(b"1\r\nHEAD\r\n2\r\n3\r\nHEAD\r\n4\r\n") == [b"1\r\n", b"HEAD\r\n2\r\n3\r\n"]
    assert framer.silent() == [b"HEAD\r\n4\r\n"]


def test_a_block_without_a_header_is_cut_at_a_line() -> None:
    framer = Framer(BLOCKS)
    line = b"0123456789\r\n"
    frames = framer.feed(line * 12)
    assert frames == [line * 5, line * 5]
    assert framer.dropped == 0
