import asyncio
import threading
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from buffer.connection import connect_reader
from buffer.store import Store
from buffer.writer import INBOX_MAX
from gateway.core.errors import StoreBroken, StoreFull
from tests.buffer.make import HUB, drafts, opened, options


async def hold(store: Store) -> threading.Event:
    """Keep the writer busy until the event is set, so that what follows is one group."""
    taken, release = threading.Event(), threading.Event()

    def wait(_db: object) -> None:
        taken.set()
        release.wait(30)

    store._writer.submit(wait)
    await asyncio.to_thread(taken.wait, 30)
    return release


def test_what_was_acknowledged_is_committed(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            other = connect_reader(options(tmp_path))
            for number in range(20):
                await store.append(drafts(number))
                assert other.execute("SELECT count(*) FROM record").fetchone() == (number + 1,)
            other.close()

    asyncio.run(run())


def test_appends_that_wait_share_one_commit(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with opened(tmp_path) as store:
            release, said = await hold(store), list[str]()
            waiters = [asyncio.ensure_future(store.append(drafts(number))) for number in range(100)]
            await asyncio.sleep(0)
            store._writer._db.set_trace_callback(said.append)
            release.set()
            assert await asyncio.gather(*waiters) == [[True]] * 100
            store._writer._db.set_trace_callback(None)
            return said

    said = asyncio.run(run())
    assert 1 <= said.count("COMMIT") <= 2  # the held work's own, where the trace began before it
    assert said.count("BEGIN IMMEDIATE") == 1


def test_too_much_waiting_is_refused_and_the_rest_is_kept(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            release = await hold(store)
            waiting = [store._writer.submit(drafts=drafts(number)) for number in range(INBOX_MAX)]
            with pytest.raises(StoreFull, match="at once"):
                await store.append(drafts(INBOX_MAX))
            release.set()
            assert await asyncio.gather(*waiting) == [[True]] * INBOX_MAX
            assert await store.append(drafts(INBOX_MAX)) == [True]

    asyncio.run(run())


def test_a_mistake_in_one_piece_of_work_is_its_own(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            release = await hold(store)
            results = asyncio.gather(
                store.append(drafts(1)),
                store._writer.submit(lambda db: db.execute("SELECT * FROM no_such_table")),
                store.append(drafts(2)),
                store._writer.submit(lambda _: 1 // 0),
                store.next_batch(HUB, 10, 10**6),
                return_exceptions=True,
            )
            await asyncio.sleep(0)
            release.set()
            one, no_table, two, division, batch = await results
            assert (one, two) == ([True], [True])
            assert isinstance(no_table, dbapi2.OperationalError)
            assert isinstance(division, ZeroDivisionError)
            assert len(batch.ids) == 2  # type: ignore[union-attr] # a Batch, or the assertion fails as it should

    asyncio.run(run())


def _fail(_db: object) -> None:
    error = dbapi2.OperationalError("disk I/O error")
    error.sqlite_errorcode = 10 | (4 << 8)  # SQLITE_IOERR_FSYNC
    raise error


def test_a_failed_disk_is_told_to_every_waiter_and_nothing_is_written_after(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(0))
            release = await hold(store)
            first = asyncio.gather(
                store.append(drafts(1)), store._writer.submit(_fail), store.append(drafts(2)), return_exceptions=True
            )
            await asyncio.sleep(0)
            release.set()
            assert [type(result) for result in await first] == [StoreBroken] * 3
            with pytest.raises(StoreBroken):
                await store.append(drafts(3))
            with pytest.raises(StoreBroken):
                await store.prove()
        async with opened(tmp_path) as store:  # a new start begins at the last COMMIT
            assert await store.append(drafts(0, 1)) == [False, True]

    asyncio.run(run())


def test_a_burst_leaves_a_small_log_when_it_is_quiet(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            store._writer._idle_s = 0.0
            for first in range(0, 6000, 500):
                await store.append(drafts(*range(first, first + 500)))
            while store._writer._log.is_worth_moving:
                await store.prove()
            stats = await store.stats()
            assert stats.log_bytes <= 1024 * 1024
            assert stats.bytes_written > 6000 * 300

    asyncio.run(run())


def test_a_failure_nobody_foresaw_leaves_no_waiter_behind(tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise OSError

    async def run() -> None:
        async with opened(tmp_path) as store:
            store._writer._commit = fails  # type: ignore[method-assign, assignment] # the disk fails where no rule looks
            for first in (1, 2):
                with pytest.raises(StoreBroken):
                    await store.append(drafts(first))

    asyncio.run(asyncio.wait_for(run(), 20))
