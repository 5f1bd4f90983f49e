"""A real tty: frames whatever the split, noise and cuts; plugged in and out; held alone; a store without room."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.contract import Link
from drivers.framing import Framer
from drivers.registry import find
from gateway.core.errors import DecodeError, LinkLost, Refused, StoreBroken, StoreFull
from gateway.core.reading import Frame, Origin
from tests.drivers import vectors
from tests.peers.serial.desk import DEVICE, Cable, Desk, listening, options, weight

SOURCES = [(d.name, s) for d in find().values() if d.link is Link.SERIAL for s in d.sources]


def in_time(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def test_a_frame_is_kept_with_its_path(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path)) as desk:
            await desk.shows(up=True)
            await cable.send(weight(3972))
            await desk.shelf.has(1)
            (arrival,) = desk.shelf.arrivals
            assert (arrival.frame, arrival.device) == (Frame(weight(3972), "bd815u"), DEVICE)
            assert (arrival.transport, arrival.source, arrival.prompt) == ("serial", "desk", True)
            assert desk.link.frames == 1
            assert desk.link.why is None

    in_time(scenario)


@pytest.mark.parametrize("seed", range(6))
def test_frames_are_the_same_whatever_the_pace_the_noise_and_the_cut(cable: Cable, seed: int) -> None:
    """The stream is entered in the middle of a frame, cut at any byte, with noise between frames."""
    dice = random.Random(seed)
    frames = [weight(3000 + number) for number in range(40)]
    noise = [bytes(dice.choices([0x00, 0x41, 0xFE, 0x0D], k=dice.randrange(12))) + b"\n" for _ in frames]
    stream = weight(1)[dice.randrange(5, 20) :] + b"".join(n + f for n, f in zip(noise, frames, strict=True))
    edges = sorted({0, len(stream), *(dice.randrange(len(stream)) for _ in range(60))})

    async def scenario() -> None:
        async with listening(options(cable.path), jumps=False) as desk:
            await desk.shows(up=True)
            for begin, end in pairwise(edges):
                await cable.send(stream[begin:end])
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
            await desk.shelf.has_payload(frames[-1])  # a piece of noise may be kept as a refused frame, so no count
            kept = [payload for payload in desk.shelf.payloads if payload in frames]
            assert kept == frames
            assert desk.counts["noise_bytes"] > 0

    in_time(scenario)


@pytest.mark.parametrize(("driver", "source"), SOURCES)
def test_every_format_comes_through_a_real_port(cable: Cable, driver: str, source: str) -> None:
    """Each vector of one frame, after half of itself; the port is set as the driver says (8O1 among them)."""
    good = [raw for raw in _frames(driver, source) if _single(driver, source, raw)]
    assert good

    async def scenario() -> None:
        async with listening(options(cable.path, driver, source=source), jumps=False) as desk:
            await desk.shows(up=True)
            await cable.send(good[0][len(good[0]) // 2 :])
            while not (desk.counts["noise_bytes"] or desk.link.frames or desk.shelf.arrivals):
                await _quiet(desk)
            before = desk.link.frames
            for number, raw in enumerate(good, start=1):
                await cable.send(raw)
                while desk.link.frames < before + number:
                    await _quiet(desk)

    in_time(scenario)


async def _quiet(desk: Desk) -> None:
    """Let the line fall silent, for formats whose frame only then is known to be whole."""
    await asyncio.sleep(0)
    if desk.clock.sleepers:
        desk.clock.jump(5.0)


def _frames(driver: str, source: str) -> list[bytes]:
    found = find()[driver]
    return [v.as_frame(found).payload for v in vectors.load(driver) if v.format in (source, None) and not v.raises]


def _single(driver: str, source: str, raw: bytes) -> bool:
    """Whether the bytes hold one frame on the wire, with something in it."""
    found = find()[driver]
    framer = Framer(found.lines[source].framing)
    frames = framer.feed(raw) + framer.silent()
    try:
        return len(frames) == 1 and bool(found.decode(Frame(frames[0], source)))
    except DecodeError:
        return False


def test_silence_ends_a_frame_that_nothing_else_ends(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path, "serial-nonin", source="df8"), jumps=False) as desk:
            await desk.shows(up=True)
            await cable.send(bytes.fromhex("00486100"))
            await desk.clock.asleep()
            assert desk.shelf.arrivals == []
            desk.clock.jump(0.1)
            await desk.shelf.has(1)
            assert desk.shelf.payloads == [bytes.fromhex("00486100")]

    in_time(scenario)


def test_half_a_frame_before_silence_is_dropped_and_counted(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path), jumps=False) as desk:
            await desk.shows(up=True)
            await cable.send(weight(3972)[:20])
            await desk.clock.asleep()
            desk.clock.jump(2.0)
            await desk.has_counted("noise_bytes", 20)
            await cable.send(weight(4100))
            await desk.shelf.has(1)
            assert desk.shelf.payloads == [weight(4100)]

    in_time(scenario)


def test_no_timer_runs_while_nothing_is_held(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path), jumps=False) as desk:
            await desk.shows(up=True)
            await cable.send(weight(3972))
            await desk.shelf.has(1)
            assert desk.clock.sleepers == 0
            assert desk.link.alive_s == float("inf")

    in_time(scenario)


def test_unplugged_is_said_and_what_came_before_is_kept(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path)) as desk:
            await desk.shows(up=True)
            await cable.send(weight(3972))
            await desk.shelf.has(1)
            cable.unplug()
            with pytest.raises(LinkLost, match="unplugged"):
                await desk.task
            assert not desk.link.is_up
            assert desk.shelf.payloads == [weight(3972)]

    in_time(scenario)


def test_it_waits_for_a_port_whose_directories_do_not_exist_yet(loose: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(loose.path)) as desk:
            await desk.link.settled.wait()
            assert desk.link.why is not None
            assert "Nothing is plugged in" in desk.link.why
            assert str(loose.path) not in desk.link.why
            loose.plug()
            await desk.shows(up=True)
            await loose.send(weight(3972))
            await desk.shelf.has(1)

    in_time(scenario)


def test_plugged_in_again_it_is_read_again_under_another_number(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path), again=True) as desk:
            for number in range(1, 6):
                await desk.shows(up=True)
                await cable.send(weight(3000 + number))
                await desk.shelf.has(number)
                cable.unplug()
                await desk.shows(up=False)
                if number % 2:
                    cable.path.parent.rmdir()
                cable.plug()
            assert desk.shelf.payloads == [weight(3000 + number) for number in range(1, 6)]

    in_time(scenario)


def test_unplugged_in_the_middle_of_a_frame_the_next_device_begins_anew(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path), again=True, jumps=False) as desk:
            await desk.shows(up=True)
            await cable.send(weight(3972)[:-1])
            await desk.clock.asleep()
            cable.unplug()
            await desk.shows(up=False)
            cable.plug()
            while not desk.link.is_up:
                await _quiet(desk)
            await cable.send(b"\n" + weight(4100))
            await desk.shelf.has(1)
            assert desk.shelf.payloads == [weight(4100)]

    in_time(scenario)


def test_a_second_reader_is_refused_with_a_sentence(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path)) as first:
            await first.shows(up=True)
            async with listening(options(cable.path)) as second:
                with pytest.raises(Refused, match="Another program holds this port"):
                    await second.task
                assert second.link.needs_person
            await cable.send(weight(3972))
            await first.shelf.has(1)

    in_time(scenario)


def test_what_is_no_port_is_said(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.touch()

    async def scenario() -> None:
        async with listening(options(path)) as desk:
            with pytest.raises(Refused, match="no serial port"):
                await desk.task

    in_time(scenario)


def test_a_full_store_is_tried_again_and_nothing_that_came_is_lost(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path)) as desk:
            await desk.shows(up=True)
            desk.shelf.error = StoreFull("The store is full; mend the upload.")
            for number in range(20):
                await cable.send(weight(3000 + number))
            await desk.shelf.has_tried(3)
            assert desk.link.why == "The store is full; mend the upload."
            assert not desk.link.is_up
            desk.shelf.error = None
            await desk.shelf.has(20)
            assert desk.shelf.payloads == [weight(3000 + number) for number in range(20)]
            await desk.shows(up=True)

    in_time(scenario)


def test_unplugged_while_the_store_is_full_what_came_is_kept_first(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path)) as desk:
            await desk.shows(up=True)
            desk.shelf.error = StoreFull("The store is full; mend the upload.")
            await cable.send(weight(3972))
            await desk.shelf.has_tried(2)
            cable.unplug()
            desk.shelf.error = None
            with pytest.raises(LinkLost):
                await desk.task
            assert desk.shelf.payloads == [weight(3972)]

    in_time(scenario)


def test_a_broken_store_ends_it(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path), again=True) as desk:
            await desk.shows(up=True)
            desk.shelf.error = StoreBroken("The disk failed.")
            await cable.send(weight(3972))
            with pytest.raises(StoreBroken):
                await desk.task

    in_time(scenario)


def test_at_the_daemons_end_what_came_is_kept(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path)) as desk:
            await desk.shows(up=True)
            await cable.send(weight(3972))
            desk.task.cancel()
            await asyncio.wait([desk.task])
            assert desk.shelf.payloads in ([], [weight(3972)])  # what the loop had read, and no half of it

    in_time(scenario)


def test_a_port_that_follows_the_order_of_plugging_is_said() -> None:
    from drivers.transports import serial_port

    assert serial_port._NUMBERED.fullmatch("/dev/ttyUSB0")
    assert not serial_port._NUMBERED.fullmatch("/dev/serial/by-id/usb-FTDI_FT232R-if00-port0")


@pytest.mark.parametrize(("driver", "source"), SOURCES)
def test_a_silent_hub_writes_nothing(cable: Cable, driver: str, source: str) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path, driver, source=source), jumps=False) as desk:
            await desk.shows(up=True)
            for raw in _frames(driver, source):
                await cable.send(raw)
                await _quiet(desk)
            desk.clock.jump(3600)
            await _quiet(desk)
            assert cable.written() == b""
            assert all(arrival.frame.source == source for arrival in desk.shelf.arrivals)

    in_time(scenario)


def test_memory_is_never_live() -> None:
    stored = [
        sample
        for driver, source in SOURCES
        for raw in _frames(driver, source)
        if _single(driver, source, raw)
        for sample in find()[driver].decode(Frame(raw, source))
        if sample.origin is Origin.STORED
    ]
    assert stored
