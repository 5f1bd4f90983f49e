"""Noise at full speed, a stream without end, a store that stands still: no growth, and the next frame is read."""

import asyncio
import random

import pytest

from drivers.registry import named
from drivers.transports.serial_inlet import WAITING_BYTES_MAX
from gateway.core.errors import StoreFull
from tests.peers.serial.desk import Cable, listening, options, until, weight
from tests.peers.serial.test_port import in_time


@pytest.mark.parametrize(
    ("driver", "source"),
    [
        ("serial-tanita", "bd815u"),
        ("serial-contec", "v7"),
        ("serial-onetouch-ultra2", "dump"),
        ("serial-nellcor", "ascii"),
    ],
)
def test_noise_through_a_real_port_leaves_no_trace_but_counts(cable: Cable, driver: str, source: str) -> None:
    """A megabyte, a minute and a half of the fastest line; the hour follows from it: nothing is remembered."""
    noise = random.Random(7).randbytes(1_000_000)

    async def scenario() -> None:
        async with listening(options(cable.path, driver, source=source), jumps=False) as desk:
            await desk.shows(up=True)
            await cable.send(noise)
            # no time passes here: one minute's share of refused frames, and a reading and a status of a stream
            longest = named(driver).lines[source].framing.longest
            await until(lambda: desk.counts["noise_bytes"] + longest * desk.counts["refused"] > 400_000)
            assert len(desk.shelf.arrivals) <= 5

    in_time(scenario)


def test_nothing_but_noise_is_said(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path)) as desk:
            await desk.shows(up=True)
            await cable.send(b"\x80" * 8192)
            await until(lambda: desk.link.needs_person)
            assert desk.link.why is not None
            assert desk.link.why.startswith("Only noise")
            await cable.send(b"\n" + weight(3972))
            await desk.shelf.has(1)
            assert desk.link.why is None

    in_time(scenario)


def test_a_store_that_stands_still_bounds_what_waits(cable: Cable) -> None:
    async def scenario() -> None:
        async with listening(options(cable.path), jumps=False) as desk:
            await desk.shows(up=True)
            desk.shelf.error = StoreFull("The store is full; mend the upload.")
            await cable.send(weight(3000))
            await desk.shelf.has_tried(1)
            before = desk.link.frames
            sent = 0
            while sent < 4000:
                await _offer(cable, weight(3001))
                sent += 1
            cost = 1024 + len(weight(3000))
            assert desk.link.frames - before <= WAITING_BYTES_MAX // cost + 4096 // len(weight(3000)) + 2
            desk.shelf.error = None
            while desk.counts["stalls"] == 0:
                await asyncio.sleep(0)
                desk.clock.jump(60)
            await cable.send(b"\n" + weight(4100))
            await until(lambda: weight(4100) in desk.shelf.payloads)

    in_time(scenario)


async def _offer(cable: Cable, sent: bytes) -> None:
    """Send what the line takes: a tty whose reader sleeps takes no more, and a device knows nothing of it."""
    await asyncio.sleep(0)
    try:
        cable.push(sent)
    except BlockingIOError:
        return
