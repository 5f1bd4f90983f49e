"""The transport as a test runs it: a shelf that keeps, options for a broker, `listen` in the background."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from drivers.contract import Keep
from drivers.transports.mqtt import listen
from drivers.transports.mqtt_options import FilterMemory, MqttOptions, Topic
from gateway.clock import HubClock
from gateway.core.link import LinkState
from gateway.core.reading import Arrival
from gateway.core.time import Clock

DEADLINE_S = 20.0  # no test waits this long unless it fails
TOPICS = (Topic("stel/#", "stel"), Topic("telli/#", "telli"))


def options(port: int, **changed: Any) -> MqttOptions:
    """Options for a broker on loopback."""
    given = {"name": "cell", "host": "127.0.0.1", "port": port, "client_id": "hub-7", "topics": TOPICS}
    return MqttOptions(**{**given, **changed})


class Shelf:
    """A `keep` that remembers, and can be told to fail or to wait."""

    def __init__(self) -> None:
        self.groups: list[list[Arrival]] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.busy = asyncio.Event()
        self._more = asyncio.Event()

    async def keep(self, arrivals: Sequence[Arrival]) -> None:
        """Keep, once open; or fail."""
        self.busy.set()
        await self.open.wait()
        self.busy.clear()
        if self.error:
            raise self.error
        self.groups.append(list(arrivals))
        self._more.set()

    @property
    def arrivals(self) -> list[Arrival]:
        """Everything kept, in order."""
        return [arrival for group in self.groups for arrival in group]

    @property
    def payloads(self) -> list[str]:
        """Every payload kept, in order."""
        return [arrival.frame.payload.decode() for arrival in self.arrivals]

    async def has(self, count: int) -> list[Arrival]:
        """Everything kept, once there are `count`."""
        while len(self.arrivals) < count:
            self._more.clear()
            await self._more.wait()
        return self.arrivals


@asynccontextmanager
async def listening(
    source: MqttOptions,
    keep: Keep,
    link: LinkState | None = None,
    clock: Clock | None = None,
    memory: FilterMemory | None = None,
) -> AsyncIterator["asyncio.Task[None]"]:
    """`listen` in the background, subscribed (or failed) before the body begins, ended after it."""
    link = link or LinkState("cell", "mqtt")
    task = asyncio.create_task(listen(source, keep, clock or HubClock(), link, memory))
    settled = asyncio.create_task(link.settled.wait())
    await asyncio.wait([settled, task], return_when=asyncio.FIRST_COMPLETED)
    settled.cancel()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def failure_of(source: MqttOptions, link: LinkState | None = None, **more: Any) -> BaseException:
    """What `listen` raises by itself."""
    async with listening(source, Shelf().keep, link, **more) as task:
        await asyncio.wait([task])
        error = task.exception()
        assert error is not None
        return error


def in_time(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in a loop of its own, within the deadline."""

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scenario()

    asyncio.run(run())
