"""
One measurement is one reading, however often a broker, a gateway or two hubs tell of it.

A real mosquitto, the real transport, intake and store; the backend's own rule for two hubs.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.load import parse
from drivers.virtual.cellular import cuff
from gateway.core.errors import LinkLost
from gateway.core.reading import Arrival
from gateway.desk import Desk
from gateway.wiring import local_desk
from tests.peers.hub import in_time, listening
from tests.peers.mosquitto import Mosquitto

BOTH = pytest.mark.parametrize("version", [5, 3])
CUFF = cuff("AB:CD:EF:12:34:01", datetime(2026, 3, 3, 13, tzinfo=UTC), 128, 80, 61).payload
# Theengs and OpenMQTTGateway: no time, no number, each advertisement many times.
SCALE = json.dumps({"model": "Mi Smart Scale", "weighing_mode": "person", "unit": "kg", "weight": 61.75})
SCALE_TOPIC = "home/TheengsGateway/BTtoMQTT/112233445566"
# A hub that sends a weight and nothing else: what two of them are is for the path to say.
BARE = '{"id": "s1", "kg": 70.5}'
_MAPPING = """
driver = "map-bare"
documented = "this test"
[device]
id = "id"
[time]
kind = "none"
[[reading]]
[[reading.value]]
of = "weight"
path = "kg"
unit = "kg"
"""


class Hub:
    """A hub's store and intake, listening to a broker whenever a test says so."""

    def __init__(self, folder: Path, port: int, name: str = "hub-7", version: int = 5) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "bare.toml").write_text(_MAPPING, "utf-8")
        self.options = parse(f"""
            [hub]
            id = "{name}"
            site = "home"
            timezone = "America/New_York"
            [buffer]
            path = "{folder}/{name}.db"
            key = "none"
            [[mapping]]
            file = "{folder}/bare.toml"
            [[mqtt]]
            name = "cell"
            url = "mqtt://127.0.0.1:{port}"
            version = {version}
            client_id = "{name}"
            topics = [
                {{ filter = "stel/#", driver = "stel" }},
                {{ filter = "home/#", driver = "theengs" }},
                {{ filter = "bare/#", driver = "map-bare" }},
            ]
        """)
        self.heard: list[Arrival] = []
        self.cut_before_ack = False
        self._more = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Desk]:
        async with local_desk(self.options) as desk:

            async def keep(arrivals: Sequence[Arrival]) -> None:
                await desk.intake.keep(arrivals)
                self.heard += arrivals
                self._more.set()
                if self.cut_before_ack:
                    raise LinkLost("The line was cut between COMMIT and PUBACK.")

            async with listening(self.options.mqtt[0], keep):
                yield desk

    async def hears(self, count: int) -> None:
        while len(self.heard) < count:
            self._more.clear()
            await self._more.wait()


async def readings(desk: Desk) -> list[dict[str, Any]]:
    return await desk.store.ledger(["reading"])


async def events(desk: Desk) -> list[str]:
    return [record["name"] for record in await desk.store.ledger(["event"])]


@BOTH
@pytest.mark.parametrize(("topic", "payload"), [("stel/1", CUFF), (SCALE_TOPIC, SCALE), ("bare/1", BARE)])
def test_a_message_redelivered_because_its_puback_was_lost(
    mosquitto: Mosquitto, tmp_path: Path, version: int, topic: str, payload: bytes | str
) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port, version=version)
        hub.cut_before_ack = True
        async with hub.running():
            await mosquitto.publish(topic, payload)
            await hub.hears(1)
        hub.cut_before_ack = False
        async with hub.running() as desk:  # another process, as far as the store can tell
            await hub.hears(2)
            assert hub.heard[1].resent is not None, "nothing was sent again, so nothing was tested"
            assert len(await readings(desk)) == 1

    in_time(scenario)


def test_a_redelivery_is_known_after_the_hourly_tidying_too(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port)
        hub.cut_before_ack = True
        async with hub.running() as desk:
            await mosquitto.publish("bare/1", BARE)
            await hub.hears(1)
            await desk.store.purge()
        hub.cut_before_ack = False
        async with hub.running() as desk:
            await desk.store.purge()
            await hub.hears(2)
            assert len(await readings(desk)) == 1

    in_time(scenario)


def test_two_equal_weights_without_time_or_number_are_two_readings(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port)
        async with hub.running() as desk:
            for count in (1, 2):
                await mosquitto.publish("bare/1", BARE)
                await hub.hears(count)
            assert len(await readings(desk)) == 2, "nothing said that the second was the first again"

    in_time(scenario)


@BOTH
def test_a_retained_value_without_time_or_number_is_no_reading(
    mosquitto: Mosquitto, tmp_path: Path, version: int
) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port, version=version)
        await mosquitto.publish(SCALE_TOPIC, SCALE, retain=True)
        await mosquitto.publish("bare/1", BARE, retain=True)
        async with hub.running() as desk:
            await hub.hears(2)
            assert all(arrival.retained for arrival in hub.heard)
            assert await readings(desk) == []
            assert await events(desk) == ["frame.retained"] * 2

    in_time(scenario)


def test_a_retained_value_that_names_itself_is_the_reading_it_was(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port, version=3)  # which replays at every connection
        async with hub.running():
            await mosquitto.publish("stel/1", CUFF, retain=True)
            await hub.hears(1)
        async with hub.running() as desk:
            await hub.hears(2)
            assert [arrival.retained for arrival in hub.heard] == [False, True]
            (only,) = await readings(desk)
            assert only["local_date"] == "2026-03-03"

    in_time(scenario)


def test_a_retained_value_never_heard_live_is_one_reading_of_its_own_date(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        await mosquitto.publish("stel/1", CUFF, retain=True)
        hub = Hub(tmp_path / "hub", mosquitto.port)
        async with hub.running() as desk:
            await hub.hears(1)
            (only,) = await readings(desk)
            assert only["measured_at"] == "2026-03-03T08:00:00-05:00"

    in_time(scenario)


def test_what_was_published_with_qos_0_is_kept_once(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port)
        async with hub.running():
            await mosquitto.publish("stel/1", CUFF, qos=0)
            await mosquitto.publish("stel/1", CUFF, qos=1)
            await mosquitto.publish("stel/1", CUFF, qos=2)
            await hub.hears(3)
        async with hub.running() as desk:
            await mosquitto.publish("stel/2", CUFF, qos=0)
            await hub.hears(4)
            assert len(await readings(desk)) == 1

    in_time(scenario)


def test_a_gateway_that_repeats_every_advertisement(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port)
        advertised = [SCALE.replace("61.75}", f'61.75, "rssi": {-40 - n % 9}}}') for n in range(60)]
        async with hub.running():
            await mosquitto.publish_lines(SCALE_TOPIC, advertised)
            await hub.hears(60)
        async with hub.running() as desk:  # a restart in between invents none
            await mosquitto.publish_lines(SCALE_TOPIC, advertised[:20])
            await mosquitto.publish(SCALE_TOPIC, SCALE.replace("61.75", "61.80"))
            await hub.hears(81)
            values = [record["observations"][0]["value"] for record in await readings(desk)]
            assert values == ["61.75", "61.80"]

    in_time(scenario)


def test_two_gateways_that_hear_one_scale(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = Hub(tmp_path / "hub", mosquitto.port)
        async with hub.running() as desk:
            for gateway in ("kitchen", "hall"):
                await mosquitto.publish(f"home/{gateway}/BTtoMQTT/112233445566", SCALE)
            await hub.hears(2)
            assert len(await readings(desk)) == 1

    in_time(scenario)


def test_two_hubs_that_hear_one_device_name_the_event_alike(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        one, two = (Hub(tmp_path / name, mosquitto.port, name) for name in ("hub-1", "hub-2"))
        async with one.running() as first, two.running() as second:
            await mosquitto.publish("stel/1", CUFF)
            await mosquitto.publish(SCALE_TOPIC, SCALE)
            await one.hears(2)
            await two.hears(2)
            ids = [{r["modality"]: r["record_id"] for r in await readings(desk)} for desk in (first, second)]
        assert ids[0]["blood_pressure"] == ids[1]["blood_pressure"]
        # nothing in the frame says that it is one weighing: two records, neither of which asserts a time
        assert ids[0]["weight"] != ids[1]["weight"]

    in_time(scenario)
