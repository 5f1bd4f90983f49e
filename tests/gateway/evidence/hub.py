"""A hub as a test uses it: the real store and desk, virtual devices, a clock that jumps."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from buffer.store import Store, open_store
from config.load import Options, parse
from drivers.virtual.cellular import Message, cuff, scale
from gateway.core.batch import Outcome, Status
from gateway.core.errors import StoreFull
from gateway.core.reading import Arrival, Draft, Frame
from gateway.desk import Desk
from gateway.wiring import _desk
from tests.fakes.clock import FakeClock

NEW_YORK = ZoneInfo("America/New_York")
FIRST = datetime(2026, 3, 2, 10, tzinfo=NEW_YORK)
PATIENT, OTHER = "pt-8842", "pt-1003"
CUFF, CUFF_MAC = "stel:AB:CD:EF:12:34:01", "AB:CD:EF:12:34:01"
SCALE, SCALE_IMEI = "bodytrace:356789000000000", "356789000000000"
HUB = b'{"id":"hub-7","site":"home","software":"vitals-gateway/0.1.0"}'
SEED = "5ac3" * 16
Json = dict[str, Any]

CONFIG = """
[hub]
id = "hub-7"
site = "home"
timezone = "America/New_York"
[buffer]
path = "{folder}/buffer.db"
size_max_mb = {size}
retain_days = 90
key = "none"
"""
UPLOAD = """
[upload]
url = "http://127.0.0.1:8100/batches/"
[upload.auth]
kind = "none"
"""


def options(folder: Path, *, uploads: bool = True, signs: bool = False, size: int = 64) -> Options:
    """A configuration in this folder."""
    text = CONFIG.format(folder=folder, size=size) + (UPLOAD if uploads else "")
    if signs:
        (folder / "sign.key").write_text(SEED)
        text = text.replace("[upload]\n", f'[upload]\nsign_key = "file:{folder}/sign.key"\n')
    return parse(text)


class Hub:
    """A hub with its desk."""

    def __init__(self, desk: Desk, clock: FakeClock) -> None:
        self.desk = desk
        self.clock = clock

    @property
    def store(self) -> Store:
        """The store."""
        return self.desk.store

    def at(self, when: datetime) -> None:
        """Let time pass until then."""
        self.clock.jump((when - datetime.fromtimestamp(self.clock.now().utc_ms / 1000, UTC)).total_seconds())

    async def ask(self, do: str, **more: Any) -> Json:
        """Ask the desk as a person does."""
        who = {"by": "clerk-1"} if do in ("assign", "unassign", "enrol") else {}
        return await self.desk.ask({"do": do, "operator": "clerk-1", **who, **more})

    async def enrol(self, patient: str = PATIENT, **more: Any) -> None:
        """Begin a service now."""
        await self.ask("enrol", patient=patient, **more)

    async def assign(self, device: str, patient: str) -> None:
        """Give a device that a document calls one under 201(h)."""
        await self.ask("assign", device=device, patient=patient, status="device_201h", source="510(k) K000000")

    async def hear(self, message: Message, driver: str, *, heard: bool = True) -> None:
        """A frame comes in now."""
        frame = Frame(message.payload, topic=message.topic)
        arrival = Arrival(frame=frame, driver=driver, heard=self.clock.now(), transport="mqtt", source="cell")
        assert heard
        await self.desk.intake.keep([arrival])

    async def measure(self, when: datetime, systolic: int = 128) -> None:
        """The cuff measures, and the frame comes a few seconds later."""
        self.at(when + timedelta(seconds=5))
        await self.hear(cuff(CUFF_MAC, when, systolic, 80, 61), "stel")

    async def weigh(self, when: datetime) -> None:
        """The other patient's scale."""
        self.at(when + timedelta(seconds=5))
        await self.hear(scale(SCALE_IMEI, when, 61_750), "bodytrace")

    async def upload(self) -> int:
        """The backend accepts everything that waits."""
        count = 0
        while batch := await self.store.next_batch(HUB, 200, 10**6):
            await self.store.settle(batch.batch_id, [Outcome(id_, Status.ACCEPTED) for id_ in batch.ids])
            count += len(batch.ids)
        return count

    async def packet(self, **more: Any) -> Json:
        """An evidence packet."""
        found: Json = (await self.ask("evidence", patient=PATIENT, **more))["packet"]
        return found


@asynccontextmanager
async def hub(folder: Path, clock: FakeClock | None = None, **more: Any) -> AsyncIterator[Hub]:
    """A hub whose clock stands at FIRST, with two patients, a cuff and a scale."""
    clock = clock or FakeClock(round(FIRST.timestamp() * 1000), jumps=True)
    given = options(folder, **more)
    async with open_store(given.buffer, clock) as store:
        yield Hub(await _desk(given, store, clock, running=False), clock)


async def fill(made: Hub) -> None:
    """Keep records until there is no room for another."""
    size = 200_000
    for number in itertools.count():
        try:
            await made.store.append([Draft(f"{number:064x}", "event", {"name": "filler", "x": "x" * size}, 0)])
        except StoreFull:
            if size < 200:
                return
            size //= 4


async def furnish(made: Hub) -> None:
    """Two patients with a device each."""
    await made.enrol(PATIENT)
    await made.enrol(OTHER)
    await made.assign(CUFF, PATIENT)
    await made.assign(SCALE, OTHER)


async def live(made: Hub, days: int, *, skip: frozenset[int] = frozenset()) -> None:
    """Both measure on so many days from the next, but for some; the backend accepts in the evening."""
    for n in range(1, days + 1):
        morning = FIRST + timedelta(days=n, hours=-2)
        if n not in skip:
            await made.measure(morning)
        await made.weigh(morning + timedelta(minutes=10))
        await made.upload()
