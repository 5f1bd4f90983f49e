"""Visits on a real store in this process: what is killed is a view or a command, never a process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from buffer.store import Store, open_store
from config.rules import profiles, rules_in_force
from drivers import registry as drivers
from drivers.virtual.cellular import cuff
from gateway.core.link import LinkState
from gateway.core.reading import Arrival, Frame
from gateway.intake import Intake, Place
from gateway.metrics import Counts
from gateway.qualification import qualifier
from gateway.registry import LEDGER_TYPES, Registry
from gateway.setup.course import Body
from gateway.setup.visits import Visits
from tests.buffer.make import HUB, accepted, options
from tests.fakes.clock import FakeClock

MAC = "AB:CD:EF:12:34:01"
CUFF = f"stel:{MAC}"
ZONE = "America/New_York"
TOLD = {"id": "hub-7", "site": "home", "timezone": ZONE}


class Desk:
    """A hub without roads: readings are handed in, the backend is asked when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.link = LinkState("upload", "upload")
        self.registry = Registry()
        self._folder = folder
        self._runner = asyncio.Runner()
        self._sent = 0
        self._open()

    def _open(self) -> None:
        self._context = open_store(options(self._folder), self.clock)
        self.store: Store = self._runner.run(self._context.__aenter__())
        self.registry = Registry.from_ledger(self._runner.run(self.store.ledger(LEDGER_TYPES)))
        qualify = qualifier(self.registry, profiles(), rules_in_force(), ZONE)
        self.intake = Intake(self.store.append, drivers.named, qualify, Place("home", ZoneInfo(ZONE)), Counts())
        self.visits = Visits(self.store, self.registry, self.clock, TOLD, [self.link])

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))

    def end(self) -> None:
        self.close()
        self._runner.close()

    def restart(self) -> None:
        """As a daemon that was killed: nothing is left but the store."""
        self.close()
        self._open()

    def ask(self, question: Body) -> Body:
        self.clock.jump(1)

        async def answer() -> Body:
            return await self.visits.questions()[question["do"]]({"by": "tech-4"} | question)

        return self._runner.run(answer())

    def measure(self, mac: str = MAC, late_s: float = 0, **changes: Any) -> dict[str, Any]:
        """A measurement as the hub keeps it; `late_s` is how far its clock is behind."""
        self.clock.jump(1)
        at = datetime.fromtimestamp(self.clock.now().utc_ms / 1000, UTC) - timedelta(seconds=late_s)
        message = cuff(mac, at, 120 + self._sent, 80, 60)
        self._sent += 1
        frame = Frame(message.payload, topic=message.topic)
        given: dict[str, Any] = {"driver": "stel", "transport": "mqtt", "source": "cell", "frame": frame} | changes
        self._runner.run(self.intake.keep([Arrival(heard=self.clock.now(), **given)]))
        newest = self._runner.run(self.store.stats()).newest_seq
        (entry,) = self._runner.run(self.store.readings_after(newest - 1, 1))
        self.clock.jump(1)
        return entry.record

    def upload(self, *, refused: bool = False) -> None:
        """The backend takes (or refuses) everything that waits."""
        while batch := self._runner.run(self.store.next_batch(HUB, 100, 10**6)):
            outcomes = accepted(*batch.ids) if not refused else _refused(batch.ids)
            self._runner.run(self.store.settle(batch.batch_id, outcomes))

    def ledger(self, *types: str) -> list[dict[str, Any]]:
        return self._runner.run(self.store.ledger(types))


def _refused(ids: tuple[str, ...]) -> Any:
    from gateway.core.batch import Outcome, Status

    return [Outcome(record_id, Status.REFUSED, "Not of this clinic.") for record_id in ids]


@contextmanager
def desk_in(folder: Path) -> Iterator[Desk]:
    """A desk on an empty store."""
    made = Desk(folder)
    try:
        yield made
    finally:
        made.end()
