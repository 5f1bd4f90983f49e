import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from buffer.store import Store, open_store
from gateway.core.batch import Outcome, State, Status
from gateway.core.errors import StoreFull
from tests.buffer.make import HUB, MIB, accepted, draft, drafts, ids, options
from tests.fakes.clock import FakeClock

SMALL = 2 * MIB


async def fill(store: Store, first: int = 0) -> int:
    """Append until there is no room; the number of the first draft that was not kept."""
    for step in (10, 1):  # where ten have no room, one may
        with suppress(StoreFull):
            while first < 100_000:
                await store.append([draft(number, size=1000) for number in range(first, first + step)])
                first += step
    return first


async def settle_next(store: Store, count: int, status: Status = Status.ACCEPTED) -> tuple[str, ...]:
    batch = await store.next_batch(HUB, count, 10**9)
    assert batch is not None
    await store.settle(batch.batch_id, [Outcome(record_id, status, None) for record_id in batch.ids])
    return batch.ids


def test_a_full_store_refuses_and_loses_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_store(options(tmp_path, SMALL), FakeClock()) as store:
            count = await fill(store)
            assert count > 500
            with pytest.raises(StoreFull):
                await store.append([draft(count, size=1000)])
            assert [entry.record_id for entry in await store.waiting(count + 1)] == list(ids(*range(count)))
            stats = await store.stats()
            assert stats.is_full
            assert stats.used_bytes <= SMALL

    asyncio.run(run())


def test_a_full_store_can_settle_and_then_takes_more(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_store(options(tmp_path, SMALL), FakeClock()) as store:
            await store.append([draft(10**6, "device", received_ms=0)])
            count = await fill(store)
            device = await settle_next(store, 1)
            refused = await settle_next(store, 5, Status.REFUSED)
            history = await settle_next(store, 300)
            more = await fill(store, count)
            assert count + 200 < more < count + 400  # the history's room, and no more
            assert not [record for record in [await store.record(one) for one in history] if record]
            kept = [await store.record(one) for one in (*device, *refused)]
            assert [entry.state for entry in kept if entry] == [State.ACCEPTED, *[State.REFUSED] * 5]
            stats = await store.stats()
            assert stats.is_full
            assert stats.records[State.WAITING] == more - 305
            while await store.next_batch(HUB, 100, 10**9):
                pass  # even now batches can be stored

    asyncio.run(run())


@pytest.mark.parametrize("last", [200, 250, 300, 1000])
def test_no_group_takes_the_room_that_settling_needs(tmp_path: Path, last: int) -> None:
    async def run() -> None:
        """Groups of 50 until little is left, then one as large as what is kept free for settling; then all leave."""
        async with open_store(options(tmp_path, SMALL), FakeClock()) as store:
            count = 0
            for first in range(0, 2750, 50):  # some 350 pages of the 352 that appends may take
                count += len(await store.append(drafts(*range(first, first + 50))))
            with suppress(StoreFull):
                count += len(await store.append(drafts(*range(count, count + last))))
            for first in range(count, count + 500, 5):
                with suppress(StoreFull):
                    count += len(await store.append(drafts(*range(first, first + 5))))
            while (await store.stats()).records[State.WAITING]:
                await settle_next(store, 50)
            assert (await store.stats()).records[State.ACCEPTED] == count

    asyncio.run(run())


def test_a_store_at_its_hard_cap_says_full_and_recovers(tmp_path: Path) -> None:
    """max_page_count stands in for a disk without room: the same result code, at the same places."""

    async def run() -> None:
        headroom = tmp_path / "store" / "buffer.db.headroom"
        async with open_store(options(tmp_path), FakeClock()) as store:
            await store.append(drafts(*range(100)))
            pages = await store._writer.submit(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
            await store._writer.submit(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())
            assert headroom.exists()
            results = await asyncio.gather(
                store.append([draft(200, size=50_000)]),
                store.next_batch(HUB, 10, 10**6),
                store.append([draft(201, size=50_000)]),
                return_exceptions=True,
            )
            assert [type(result).__name__ for result in results] == ["StoreFull", "Batch", "StoreFull"]
            await store._writer.submit(lambda db: db.execute("PRAGMA max_page_count = 10000").fetchall())
            assert await store.append(drafts(*range(98, 102))) == [False, False, True, True]
            assert headroom.exists()
            assert not (await store.stats()).is_full

    asyncio.run(run())


def test_the_file_shrinks_after_a_purge(tmp_path: Path) -> None:
    async def run() -> tuple[int, int]:
        clock = FakeClock()
        async with open_store(options(tmp_path), clock) as store:
            for first in range(0, 3000, 500):
                await store.append([draft(number, size=2000) for number in range(first, first + 500)])
            while batch := await store.next_batch(HUB, 500, 10**9):
                await store.settle(batch.batch_id, accepted(*batch.ids))
            before = (await store.stats()).database_bytes
            clock.step_wall(100 * 86_400)
            assert await store.purge() == 3000
            return before, (await store.stats()).database_bytes

    before, after = asyncio.run(run())
    assert before > 6 * MIB
    assert after < 2 * MIB


def test_a_disk_without_room_says_full_settles_and_recovers(tmp_path: Path, small_disk: Path) -> None:
    async def run() -> None:
        given = options(small_disk, 64 * MIB)
        ballast = small_disk / "ballast"
        async with open_store(given, FakeClock()) as store:
            headroom = small_disk / "store" / "buffer.db.headroom"
            assert headroom.exists()
            await store.append(drafts(*range(200)))
            with suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(b"x" * 4096)
            count = await fill(store, 200)
            assert (await store.stats()).is_full
            assert not headroom.exists()
            kept = list(ids(*range(count)))
            assert [entry.record_id for entry in await store.waiting(count + 1)] == kept
            await settle_next(store, 50)
            ballast.unlink()
            assert await store.append(drafts(count)) == [True]
            assert not (await store.stats()).is_full
            assert headroom.exists()
        async with open_store(given, FakeClock(jumps=True)) as store:
            assert await store.inspect() is None
            assert (await store.stats()).newest_seq == count + 1

    asyncio.run(run())
    assert tmp_path.exists()
