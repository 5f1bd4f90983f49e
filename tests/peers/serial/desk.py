"""A desk as a test sets it up: a real tty under a name, plugged in and out, and a shelf that keeps."""

import asyncio
import contextlib
import os
import tty
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from drivers.registry import named
from drivers.transports.serial_options import SerialOptions
from drivers.transports.serial_port import listen
from gateway.core.link import LinkState
from gateway.core.reading import Arrival, DeviceIdentity
from gateway.core.time import Clock
from gateway.supervise import keep_running
from tests.fakes.clock import FakeClock

DEVICE = DeviceIdentity(id="desk:1")


class Cable:
    """A pty whose slave stands under a name, as a port under /dev/serial/by-id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master: int | None = None
        self._slave: int | None = None

    def plug(self) -> None:
        """A device appears under the name, as a tty that was not there before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """It goes, and its directory with it where it was the last."""
        self.path.unlink(missing_ok=True)
        for fd in (self._master, self._slave):
            if fd is not None:
                os.close(fd)
        self._master = self._slave = None

    async def send(self, sent: bytes) -> None:
        """The device sends, as fast as the line takes it."""
        while sent:
            try:
                sent = sent[self.push(sent) :]
            except BlockingIOError:
                await self._ready()

    async def heard(self, words: bytes) -> bytes:
        """Everything the hub has written, once it ends with these words."""
        assert self._master is not None
        got = b""
        while not got.endswith(words):
            readable = asyncio.Event()
            asyncio.get_running_loop().add_reader(self._master, readable.set)
            await readable.wait()
            asyncio.get_running_loop().remove_reader(self._master)
            got += os.read(self._master, 4096)
        return got

    def written(self) -> bytes:
        """What the hub has written and nobody has read yet."""
        assert self._master is not None
        with contextlib.suppress(BlockingIOError):
            return os.read(self._master, 65_536)
        return b""

    def push(self, sent: bytes) -> int:
        """Send what the line takes at once; raises BlockingIOError where its reader sleeps."""
        assert self._master is not None
        return os.write(self._master, sent[:1024])

    async def _ready(self) -> None:
        assert self._master is not None
        writable = asyncio.Event()
        asyncio.get_running_loop().add_writer(self._master, writable.set)
        await writable.wait()
        asyncio.get_running_loop().remove_writer(self._master)


class Shelf:
    """Stands for the store: keeps, or raises what it is told to."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.error: Exception | None = None
        self.tries = 0
        self._changed = asyncio.Event()

    async def keep(self, arrivals: Sequence[Arrival]) -> None:
        """As the transport calls it."""
        self.tries += 1
        self._changed.set()
        if self.error is not None:
            raise self.error
        self.arrivals += arrivals

    @property
    def payloads(self) -> list[bytes]:
        """Every frame, in order."""
        return [arrival.frame.payload for arrival in self.arrivals]

    async def has(self, count: int) -> None:
        """Once so many frames are kept."""
        while len(self.arrivals) < count:
            self._changed.clear()
            await self._changed.wait()

    async def has_payload(self, payload: bytes) -> None:
        """Once this frame is kept."""
        while payload not in self.payloads:
            self._changed.clear()
            await self._changed.wait()

    async def has_tried(self, count: int) -> None:
        """Once it was asked so many times."""
        while self.tries < count:
            self._changed.clear()
            await self._changed.wait()


class Desk:
    """A port that is listened to."""

    def __init__(self, options: SerialOptions, shelf: Shelf, clock: FakeClock, link: LinkState) -> None:
        self.options = options
        self.shelf = shelf
        self.clock = clock
        self.link = link
        self.counts: Counter[str] = Counter()
        self._counted = asyncio.Event()
        self.task: asyncio.Task[None]

    def count(self, what: str, amount: int) -> None:
        """As the daemon's counter."""
        self.counts[what] += amount
        self._counted.set()

    async def has_counted(self, what: str, amount: int = 1) -> None:
        """Once so many were counted."""
        while self.counts[what] < amount:
            self._counted.clear()
            await self._counted.wait()

    async def shows(self, *, up: bool) -> None:
        """Once the link is up, or down."""
        await until(lambda: self.link.is_up == up)


def options(path: Path, driver: str = "serial-tanita", **changed: Any) -> SerialOptions:
    """One port."""
    source = next(iter(named(driver).sources))
    return SerialOptions(
        **{"name": "desk", "port": path, "driver": driver, "source": source, "device": DEVICE, **changed}
    )


@asynccontextmanager
async def listening(source: SerialOptions, *, jumps: bool = True, again: bool = False) -> AsyncIterator[Desk]:
    """A port listened to while the body lasts; `again` as the daemon does it, after every end."""
    desk = Desk(source, Shelf(), FakeClock(jumps=jumps), LinkState("desk", "serial"))
    clock: Clock = desk.clock
    run = partial(listen, source, named(source.driver), desk.shelf.keep, clock, desk.link, desk.count)
    whole = keep_running(run, desk.link, clock, lambda: 0.0) if again else run()
    desk.task = asyncio.ensure_future(whole)
    try:
        yield desk
    finally:
        desk.task.cancel()
        await asyncio.wait([desk.task])


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds that no event tells."""
    while not holds():  # noqa: ASYNC110 -- the product's own state, of which no event tells
        await asyncio.sleep(0)


def weight(grams: int) -> bytes:
    """A line of a Tanita BD-815U (tests/vectors/serial_tanita.toml), with this weight."""
    return b'{0,16,~0,1,MO,"BD-815",Wg,%d\r\n' % grams
