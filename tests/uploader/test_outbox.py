"""The outbox in memory and the real store keep one contract: what the uploader relies on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Self

import pytest

from buffer.store import Store
from gateway.core.batch import Outcome, State, Status
from gateway.core.link import LinkState
from gateway.core.record import canonical
from tests.buffer.make import HUB, drafts, ids, opened
from tests.fakes import cloud
from tests.fakes.clock import START_MS, FakeClock
from tests.fakes.cloud import FakeCloud, Say
from tests.fakes.outbox import FakeOutbox
from uploader.loop import Uploader
from uploader.options import UploadOptions
from uploader.outbox import Outbox

BYTES_MAX = 10**6


class Shelf:
    """An outbox of either kind, with what a test does to it."""

    outbox: Outbox

    async def fill(self, *numbers: int) -> None:
        """Records of these numbers wait."""
        raise NotImplementedError

    async def state(self, number: int) -> State:
        """Where a record stands."""
        raise NotImplementedError

    async def reason(self, number: int) -> str | None:
        """Why it was refused."""
        raise NotImplementedError

    async def crash(self) -> None:
        """The process ends and starts anew."""
        raise NotImplementedError

    async def take(self, most: int = 10, bytes_max: int = BYTES_MAX, *, newest_first: bool = False) -> tuple[str, ...]:
        """The ids of the next batch, and its own id before them; nothing where there is none."""
        batch = await self.outbox.next_batch(HUB, most, bytes_max, newest_first=newest_first)
        return (batch.batch_id, *batch.ids) if batch else ()


class FakeShelf(Shelf):
    def __init__(self) -> None:
        self.outbox: FakeOutbox = FakeOutbox()

    async def fill(self, *numbers: int) -> None:
        records = ((name, canonical({"record_id": name})) for name in ids(*numbers))
        for number, record in zip(numbers, records, strict=True):
            self.outbox.add(record, received_ms=START_MS + number)

    async def state(self, number: int) -> State:
        return self.outbox.records[ids(number)[0]].state

    async def reason(self, number: int) -> str | None:
        return self.outbox.records[ids(number)[0]].reason

    async def crash(self) -> None:
        self.outbox.crash()


class RealShelf(Shelf):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = opened(folder)

    async def __aenter__(self) -> Self:
        self.outbox: Store = await self._open.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.__aexit__(None, None, None)

    async def fill(self, *numbers: int) -> None:
        await self.outbox.append(drafts(*numbers))

    async def state(self, number: int) -> State:
        entry = await self.outbox.record(ids(number)[0])
        assert entry is not None
        return entry.state

    async def reason(self, number: int) -> str | None:
        entry = await self.outbox.record(ids(number)[0])
        assert entry is not None
        return entry.reason

    async def crash(self) -> None:
        await self.__aexit__()
        self._open = opened(self._folder)
        await self.__aenter__()


OpenShelf = Callable[[], AbstractAsyncContextManager[Shelf]]


@pytest.fixture(params=["fake", "real"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> OpenShelf:
    @asynccontextmanager
    async def fake() -> AsyncIterator[Shelf]:
        yield FakeShelf()

    return fake if request.param == "fake" else lambda: RealShelf(tmp_path)


def test_batches_come_in_order_and_within_limits(shelf: OpenShelf) -> None:
    async def run() -> None:
        async with shelf() as one:
            await one.fill(1, 2, 3, 4, 5)
            assert (await one.take(2))[1:] == ids(1, 2)
            assert (await one.take(2, newest_first=True))[1:] == ids(4, 5)
            assert (await one.take(2, bytes_max=1))[1:] == ids(3)
            assert await one.take() == ()

    asyncio.run(run())


def test_a_batch_is_given_once_until_a_restart(shelf: OpenShelf) -> None:
    async def run() -> None:
        async with shelf() as one:
            await one.fill(1, 2)
            first, second = await one.take(1), await one.take(1)
            assert await one.take() == ()
            await one.crash()
            assert one.outbox.arrived.is_set()
            assert await one.take() == first
            await one.fill(3)
            assert await one.take() == second
            assert (await one.take())[1:] == ids(3)

    asyncio.run(run())


def test_words_are_kept_and_the_rest_waits_again(shelf: OpenShelf) -> None:
    async def run() -> None:
        async with shelf() as one:
            await one.fill(1, 2, 3)
            batch_id, *_ = await one.take()
            accepted, refused = Outcome(ids(1)[0], Status.DUPLICATE), Outcome(ids(2)[0], Status.REFUSED, "no unit")
            one.outbox.arrived.clear()
            await one.outbox.settle(batch_id, (accepted, refused))
            assert one.outbox.arrived.is_set()
            assert [await one.state(n) for n in (1, 2, 3)] == [State.ACCEPTED, State.REFUSED, State.WAITING]
            assert await one.reason(2) == "no unit"
            assert (await one.take())[1:] == ids(3)

    asyncio.run(run())


@pytest.mark.parametrize("count", [2, 3, 7])
def test_halves_come_in_order(shelf: OpenShelf, count: int) -> None:
    async def run() -> None:
        async with shelf() as one:
            await one.fill(*range(1, count + 1))
            batch_id, *_ = await one.take()
            one.outbox.arrived.clear()
            await one.outbox.split(batch_id)
            assert one.outbox.arrived.is_set()
            (first_id, *first), (second_id, *second) = await one.take(), await one.take()
            assert (*first, *second) == ids(*range(1, count + 1))
            assert abs(len(first) - len(second)) <= 1
            assert len({batch_id, first_id, second_id}) == 3
            assert await one.take() == ()

    asyncio.run(run())


def test_only_accepted_records_are_sent_again(shelf: OpenShelf) -> None:
    async def run() -> None:
        async with shelf() as one:
            await one.fill(1, 2, 3, 4)
            batch_id, *taken = await one.take(3)
            await one.outbox.settle(
                batch_id,
                [
                    Outcome(taken[0], Status.ACCEPTED),
                    Outcome(taken[1], Status.ACCEPTED),
                    Outcome(taken[2], Status.REFUSED, "x"),
                ],
            )
            one.outbox.arrived.clear()
            assert await one.outbox.send_again([(2, 2**53 - 1)]) == 1
            assert one.outbox.arrived.is_set()
            assert [await one.state(n) for n in (1, 2, 3)] == [State.ACCEPTED, State.WAITING, State.REFUSED]
            assert await one.outbox.send_again([(0, 0)]) == 0

    asyncio.run(run())


def test_the_oldest_that_is_not_settled(shelf: OpenShelf) -> None:
    async def run() -> None:
        async with shelf() as one:
            assert (await one.outbox.stats()).oldest_unsent_ms is None
            await one.fill(1, 2)
            assert (await one.outbox.stats()).oldest_unsent_ms == START_MS + 1
            batch_id, *_ = await one.take(1)
            assert (await one.outbox.stats()).oldest_unsent_ms == START_MS + 1
            await one.outbox.settle(batch_id, [Outcome(ids(1)[0], Status.ACCEPTED)])
            assert (await one.outbox.stats()).oldest_unsent_ms == START_MS + 2

    asyncio.run(run())


def test_the_loop_empties_either(shelf: OpenShelf) -> None:
    async def run() -> None:
        script: list[Say] = [503, cloud.HALF, cloud.LOST_AFTER_COMMIT, cloud.PORTAL]
        backend = FakeCloud(lambda number: script[number] if number < len(script) else cloud.OK)
        backend.books.poison = frozenset(ids(13))
        options = UploadOptions("http://localhost/", batch_max=10, batch_wait_s=0.0)
        link = LinkState("upload", "upload")
        async with shelf() as one:
            await one.fill(*range(1, 41))
            up = Uploader(one.outbox, backend, options, FakeClock(jumps=True), lambda: 0.5, link, HUB)
            task = asyncio.create_task(up.run())
            async with asyncio.timeout(20):
                while (await one.outbox.stats()).oldest_unsent_ms is not None:  # noqa: ASYNC110 -- the store tells no one
                    await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await one.state(13) is State.REFUSED
        assert len(backend.books.records) == 39
        assert backend.books.faults == []

    asyncio.run(run())
