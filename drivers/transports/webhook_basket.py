"""Requests of many callers, kept together: a commit costs the disk the same for one reading as for sixty."""

import asyncio

from drivers.contract import Keep
from gateway.core.reading import Arrival
from gateway.core.time import Clock

# Turns of the loop from a socket that can be read to a request in the basket, through TLS and HTTP.
_TURNS = 4


class Basket:
    """
    What callers handed in and is not kept yet, whoever they are: one group at a time, one commit for all of it.

    Everything that comes while a group is being committed makes the next one, so the disk sets the pace.
    """

    def __init__(self, keep: Keep, clock: Clock) -> None:
        self._keep = keep
        self._clock = clock
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._some = asyncio.Event()

    async def keep(self, arrival: Arrival) -> None:
        """When this returns, it survives a power cut; raises what `keep` raised for the group it went with."""
        promise: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, promise))
        self._some.set()
        await promise

    async def carry(self) -> None:
        """Keep group after group."""
        while True:
            await self._some.wait()
            await self._filled()
            self._some.clear()
            group, self._waiting = self._waiting, []
            await self._kept([pair for pair in group if not pair[1].done()])

    async def _filled(self) -> None:
        """Let those come along whose bytes have arrived: it takes the loop some turns to read them."""
        quiet = 0
        while quiet < _TURNS:
            count = len(self._waiting)
            await self._clock.sleep(0)
            quiet = 0 if len(self._waiting) > count else quiet + 1

    async def _kept(self, group: list[tuple[Arrival, asyncio.Future[None]]]) -> None:
        error: Exception | None = None
        try:
            await self._keep([arrival for arrival, _ in group])
        except Exception as caught:  # noqa: BLE001 -- forwarded to everyone who waits for this group
            error = caught
        for _, promise in group:
            if promise.done():
                continue
            if error:
                promise.set_exception(error)
            else:
                promise.set_result(None)
