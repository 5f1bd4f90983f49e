"""
The fleet form: instances share a broker's load by a shared subscription, and killing any of them loses nothing.

Four real daemons, a real mosquitto, the reference backend; each daemon is SIGKILLed while messages come and while it
uploads, and started again.
"""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.load import parse
from drivers import registry
from drivers.virtual.cellular import Message, cuff
from gateway.core.errors import ConfigInvalid
from gateway.core.reading import Frame, content_key
from tests.config.test_section import GOOD
from tests.peers.fleet import Fleet, asked, receiving, until
from tests.peers.mosquitto import Mosquitto

NAMES = tuple(f"cloud-{number}" for number in range(1, 5))
_FIRST = datetime(2026, 3, 3, 13, tzinfo=UTC)


def measured(first: int, count: int) -> list[Message]:
    """Blood pressures of many patients' cuffs, no two the same."""
    return [
        cuff(f"AB:CD:EF:12:{n % 50:02X}:01", _FIRST + timedelta(seconds=n), 110 + n % 40, 70 + n % 20, 60 + n % 30)
        for n in range(first, first + count)
    ]


def record_id(message: Message) -> str:
    """The name of the event, as any hub gives it."""
    (sample,) = registry.named("stel").decode(Frame(message.payload))
    assert sample.device
    return content_key("stel", sample.device.id, sample)


class Trial:
    """Messages on their way through a fleet to a backend."""

    def __init__(self, fleet: Fleet, broker: Mosquitto, store: Path) -> None:
        self.fleet, self.broker, self.store = fleet, broker, store
        self.sent: list[Message] = []

    async def publish(self, count: int) -> None:
        """Returns when the broker has acknowledged all of them."""
        messages = measured(len(self.sent), count)
        self.sent += messages
        await self.broker.publish_lines("stel/1", [message.payload.decode() for message in messages])

    def by_hub(self) -> dict[str, int]:
        """How many readings each instance has brought to the backend."""
        rows = asked(self.store, "SELECT hub, count(*) FROM record WHERE type = 'reading' GROUP BY hub")
        return {hub: int(count) for hub, count in rows}

    def arrived(self) -> set[str]:
        """The events at the backend."""
        return {row[0] for row in asked(self.store, "SELECT DISTINCT record_id FROM record WHERE type = 'reading'")}

    async def kill_under_load(self, name: str, count: int) -> None:
        """Messages come; once the instance has brought some of them home it is killed; more come; it starts again."""
        before = self.by_hub().get(name, 0)
        first = asyncio.create_task(self.publish(count))
        await until(lambda: self.by_hub().get(name, 0) > before)
        assert await self.fleet.end(name) == -signal.SIGKILL
        await first
        await self.publish(count)
        await self.fleet.start(name)

    async def complete(self) -> None:
        """Everything the broker acknowledged is at the backend, under its own id, and nothing else."""
        wanted = {record_id(message) for message in self.sent}
        await until(lambda: sum(self.by_hub().values()) >= len(wanted))
        await until(lambda: len(self.arrived()) >= len(wanted))
        assert self.arrived() == wanted
        assert asked(self.store, "SELECT reason FROM refusal") == []
        assert asked(self.store, "SELECT body FROM record WHERE type = 'event' AND body LIKE '%refused%'") == []


def run_trial(broker: Mosquitto, folder: Path, *, rounds: int, count: int, limit_s: float) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(limit_s), receiving(folder) as (address, store):
            fleet = Fleet(folder, broker.port, address)
            try:
                await asyncio.gather(*(fleet.start(name) for name in NAMES))
                trial = Trial(fleet, broker, store)
                for _ in range(rounds):
                    for name in NAMES:
                        await trial.kill_under_load(name, count)
                await trial.complete()
                assert set(trial.by_hub()) == set(NAMES), "an instance had no share"
            finally:
                await fleet.stop()

    asyncio.run(scenario())


def test_four_instances_killed_in_turn_lose_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    run_trial(mosquitto, tmp_path, rounds=1, count=150, limit_s=90)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_four_instances_killed_again_and_again_lose_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    run_trial(mosquitto, tmp_path, rounds=8, count=1000, limit_s=850)


@pytest.mark.parametrize("group", ["vitals", "leaving"])
def test_the_share_of_an_instance_that_is_away_waits_for_it(mosquitto: Mosquitto, tmp_path: Path, group: str) -> None:
    """It comes back to stay, or to another group, so as to leave the fleet with its share read."""

    async def scenario() -> None:
        async with asyncio.timeout(60), receiving(tmp_path) as (address, store):
            fleet = Fleet(tmp_path, mosquitto.port, address)
            try:
                await asyncio.gather(*(fleet.start(name) for name in NAMES[:2]))
                assert await fleet.end(NAMES[0], signal.SIGTERM) == 0
                trial = Trial(fleet, mosquitto, store)
                await trial.publish(40)
                await until(lambda: trial.by_hub().get(NAMES[1], 0) == 20)
                assert len(trial.arrived()) == 20
                await fleet.start(NAMES[0], group)
                await trial.complete()
                assert trial.by_hub() == {NAMES[0]: 20, NAMES[1]: 20}
                if group == "leaving":
                    await trial.publish(10)
                    await until(lambda: trial.by_hub() == {NAMES[0]: 30, NAMES[1]: 30})
                    await trial.complete()
            finally:
                await fleet.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("filter_", ["$share/vitals/stel/#", "$share/vitals/+/bp", "$share/vitals/#"])
def test_a_shared_filter_is_a_filter(filter_: str) -> None:
    options = parse(GOOD.replace('site = "home"', 'site = "cloud"').replace('"stel/#"', f'"{filter_}"'))
    assert options.mqtt[0].topics[0].filter == filter_


@pytest.mark.parametrize("filter_", ["$share/vitals", "$share/vitals/", "$share//stel", "$share/+/stel/#"])
def test_half_a_shared_filter_is_a_mistake(filter_: str) -> None:
    with pytest.raises(ConfigInvalid, match="topic filter"):
        parse(GOOD.replace('"stel/#"', f'"{filter_}"'))
