"""A meter that is asked: its memory comes with its name and its clock, and nothing there is changed."""

import asyncio
import re

import pytest

from drivers.registry import named
from tests.drivers import vectors
from tests.peers.serial.desk import Cable, Desk, listening, options
from tests.peers.serial.meter import SERIAL, Meter, checked, record
from tests.peers.serial.test_port import in_time


def test_the_meter_speaks_as_the_captured_one() -> None:
    driver = named("serial-onetouch-ultra2")
    captured = {row.id: row.as_frame(driver).payload for row in vectors.load(driver.name)}
    assert checked('F "SAT","08/03/13","22:15:00   "') == captured["ot2-clock"]
    shape = re.compile(rb'P "[A-Z]{3}","[0-9/]{8}","[0-9:]{8}   ","  [0-9]{3} ","B","00", 00 [0-9A-F]{4}\r')
    assert any(shape.match(raw) for raw in captured.values())
    assert all(shape.match(record(number)) for number in range(150))


async def turns(desk: Desk, kept: int) -> None:
    """Let time pass until so much is kept."""
    while len(set(desk.shelf.payloads)) < kept:
        await asyncio.sleep(0)
        if desk.clock.sleepers:
            desk.clock.jump(0.002)


def test_its_memory_is_read_with_its_name_and_clock(cable: Cable) -> None:
    async def scenario() -> None:
        source = options(cable.path, "serial-onetouch-ultra2", device=None, ask=True)
        async with listening(source, jumps=False) as desk:
            await desk.shows(up=True)
            meter = Meter(cable, 150)
            serving = asyncio.create_task(meter.serve())
            await turns(desk, 150)
            assert set(desk.shelf.payloads) == {record(number) for number in range(150)}
            for arrival in desk.shelf.arrivals:
                assert arrival.device is not None
                assert arrival.device.serial == SERIAL
                assert arrival.clock_pair is not None
                assert arrival.clock_pair.device_now.text == "2026-11-21T08:55:00"
            assert set(meter.asked) == {b"DM@", b"DMF", b"DMP"}
            assert not meter.erased
            serving.cancel()

    in_time(scenario)


def test_a_meter_that_is_not_asked_is_not_spoken_to(cable: Cable) -> None:
    async def scenario() -> None:
        source = options(cable.path, "serial-onetouch-ultra2", device=None)
        async with listening(source, jumps=False) as desk:
            await desk.shows(up=True)
            for _ in range(50):
                await asyncio.sleep(0)
                desk.clock.jump(60)
            assert cable.written() == b""

    in_time(scenario)


@pytest.mark.parametrize("driver", ["serial-onetouch-ultra2", "serial-freestyle-optium"])
def test_a_day_without_a_meter_asks_one_harmless_question(cable: Cable, driver: str) -> None:
    question = {"serial-onetouch-ultra2": b"\x11\rDM@\r", "serial-freestyle-optium": b"$colq\r\n"}[driver]

    async def scenario() -> None:
        async with listening(options(cable.path, driver, device=None, ask=True), jumps=False) as desk:
            await desk.shows(up=True)
            heard = b""
            for _ in range(200):
                await desk.clock.asleep()
                desk.clock.jump(20)
                heard += cable.written()
            assert heard
            assert heard.replace(question, b"") == b""

    in_time(scenario)
