"""What whoever keeps and sends may rely on."""

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from buffer.rows import Settlement
from gateway.core.batch import Outcome, State, Status
from gateway.core.errors import BadInput, StoreBroken
from gateway.core.reading import Draft
from gateway.core.record import GENESIS, verify
from tests.buffer.make import HUB, accepted, draft, drafts, ids, opened
from tests.fakes.clock import START_MS, FakeClock

BYTES_MAX = 10**6


def test_what_is_kept_is_there_after_reopening(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            assert await store.append(drafts(1, 2)) == [True, True]
        async with opened(tmp_path) as store:
            assert await store.append(drafts(2, 3, 3)) == [False, True, False]
            entry = await store.record(ids(2)[0])
            assert entry is not None
            assert (entry.seq, entry.type, entry.state, entry.received_ms) == (
                2,
                "reading",
                State.WAITING,
                START_MS + 2,
            )
            assert entry.record["value"] == "2"
            assert await store.record("no such record") is None

    asyncio.run(run())


def test_nothing_to_keep_is_no_work(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            assert await store.append([]) == []
            assert await store.next_batch(HUB, 10, BYTES_MAX) is None

    asyncio.run(run())


def test_the_chain_goes_on_across_restarts_and_purges(tmp_path: Path) -> None:
    async def run() -> list[dict[str, object]]:
        records = []
        clock = FakeClock()
        for number in range(3):
            async with opened(tmp_path, clock) as store:
                await store.append(drafts(2 * number, 2 * number + 1))
                batch = await store.next_batch(HUB, 10, BYTES_MAX)
                assert batch is not None
                records += [json.loads(text) for text in batch.records]
                await store.settle(batch.batch_id, accepted(*batch.ids))
                clock.step_wall(100 * 86_400)
                assert await store.purge() == 2
        return records

    records = asyncio.run(run())
    assert [record["seq"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert all(verify(record) for record in records)
    assert [record["prev"] for record in records] == [GENESIS, *(record["hash"] for record in records[:-1])]


def test_a_batch_out_before_a_crash_comes_back_byte_for_byte(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(*range(5)))
            first = await store.next_batch(HUB, 3, BYTES_MAX)
        async with opened(tmp_path) as store:
            assert store.arrived.is_set()
            assert await store.next_batch(b"{}", 1, 1) == first  # neither the header nor the limits of today
            rest = await store.next_batch(b"{}", 10, BYTES_MAX)
            assert rest is not None
            assert (rest.hub, rest.ids) == (b"{}", ids(3, 4))

    asyncio.run(run())


def test_a_batch_is_given_once_until_it_is_settled_or_split(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(*range(4)))
            first = await store.next_batch(HUB, 2, BYTES_MAX)
            second = await store.next_batch(HUB, 2, BYTES_MAX)
            assert first is not None
            assert second is not None
            assert (first.ids, second.ids) == (ids(0, 1), ids(2, 3))
            assert await store.next_batch(HUB, 2, BYTES_MAX) is None
            assert len(await store.split(first.batch_id)) == 2
            half = await store.next_batch(HUB, 2, BYTES_MAX)
            assert half is not None
            assert half.ids == ids(0)

    asyncio.run(run())


def test_a_batch_whose_caller_was_cancelled_is_given_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1))
            asking = asyncio.create_task(store.next_batch(HUB, 2, BYTES_MAX))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            batch = await store.next_batch(HUB, 2, BYTES_MAX)
            assert batch is not None
            assert batch.ids == ids(1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("newest_first", "expected"), [(False, [(0, 1), (2, 3), (4,)]), (True, [(3, 4), (1, 2), (0,)])]
)
def test_batches_follow_the_order_asked_for(
    tmp_path: Path, newest_first: bool, expected: list[tuple[int, ...]]
) -> None:
    async def run() -> list[tuple[str, ...]]:
        async with opened(tmp_path) as store:
            await store.append(drafts(*range(5)))
            batches = [await store.next_batch(HUB, 2, BYTES_MAX, newest_first=newest_first) for _ in range(3)]
            return [batch.ids for batch in batches if batch]

    assert asyncio.run(run()) == [ids(*numbers) for numbers in expected]


def test_a_batch_keeps_to_its_bytes_but_holds_one_record(tmp_path: Path) -> None:
    async def run() -> list[int]:
        async with opened(tmp_path) as store:
            await store.append([draft(1, size=5000), draft(2, size=10), draft(3, size=10), draft(4, size=5000)])
            batches = [await store.next_batch(HUB, 10, 1000) for _ in range(3)]
            return [len(batch.ids) for batch in batches if batch]

    assert asyncio.run(run()) == [1, 2, 1]


def test_settling_writes_each_word(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(drafts(*range(4)))
            batch = await store.next_batch(HUB, 10, BYTES_MAX)
            assert batch is not None
            store.arrived.clear()
            clock.step_wall(60)
            outcomes = [
                Outcome(ids(0)[0], Status.ACCEPTED),
                Outcome(ids(1)[0], Status.DUPLICATE),
                Outcome(ids(2)[0], Status.REFUSED, "unit unknown"),
                Outcome(ids(2)[0], Status.ACCEPTED),  # a second word on one record
                Outcome("of another batch", Status.ACCEPTED),
            ]
            assert await store.settle(batch.batch_id, outcomes) == Settlement(2, 1, 1, 2)
            assert store.arrived.is_set()
            entries = [await store.record(record_id) for record_id in batch.ids]
            states = [entry.state for entry in entries if entry]
            assert states == [State.ACCEPTED, State.ACCEPTED, State.REFUSED, State.WAITING]
            assert [entry.settled_ms for entry in entries if entry] == [START_MS + 60_000] * 3 + [None]
            (dead,) = await store.refused(10)
            assert (dead.record_id, dead.reason) == (ids(2)[0], "unit unknown")
            assert [entry.record_id for entry in await store.waiting(10)] == list(ids(3))
            assert await store.settle(batch.batch_id, outcomes) == Settlement(unknown=5)

    asyncio.run(run())


def test_a_refusal_without_a_reason_says_so(tmp_path: Path) -> None:
    async def run() -> str | None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1))
            batch = await store.next_batch(HUB, 10, BYTES_MAX)
            assert batch is not None
            await store.settle(batch.batch_id, [Outcome(batch.ids[0], Status.REFUSED)])
            return (await store.refused(1))[0].reason

    assert asyncio.run(run()) == "no reason given"


def test_retry_lets_a_refused_record_wait_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1, 2))
            batch = await store.next_batch(HUB, 10, BYTES_MAX)
            assert batch is not None
            await store.settle(batch.batch_id, [Outcome(ids(1)[0], Status.REFUSED, "no"), *accepted(ids(2)[0])])
            store.arrived.clear()
            assert await store.retry(ids(1)[0])
            assert store.arrived.is_set()
            assert not await store.retry(ids(1)[0])
            assert not await store.retry(ids(2)[0])
            again = await store.next_batch(HUB, 10, BYTES_MAX)
            assert again is not None
            assert again.records == batch.records[:1]

    asyncio.run(run())


def test_accepted_records_are_sent_again_when_the_backend_misses_them(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(*range(1, 7)))
            batch = await store.next_batch(HUB, 5, BYTES_MAX)
            assert batch is not None
            await store.settle(batch.batch_id, accepted(*batch.ids))
            store.arrived.clear()
            assert await store.send_again([(2, 3), (5, 2**70), (-(2**70), 0)]) == 3
            assert store.arrived.is_set()
            assert [entry.seq for entry in await store.waiting(10)] == [2, 3, 5, 6]
            store.arrived.clear()
            assert await store.send_again([(2, 3), (100, 200)]) == 0
            assert not store.arrived.is_set()

    asyncio.run(run())


def test_splitting_ends_at_one_record(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1, 2, 3))
            batch = await store.next_batch(HUB, 10, BYTES_MAX)
            assert batch is not None
            assert len(await store.split(batch.batch_id)) == 2
            one = await store.next_batch(HUB, 10, BYTES_MAX)
            assert one is not None
            assert (one.ids, one.hub) == (ids(1), HUB)
            assert await store.split(one.batch_id) == ()
            assert await store.split("no such batch") == ()

    asyncio.run(run())


def test_the_ledger_gives_records_of_a_type_in_order(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append([draft(1, "device"), draft(2), draft(3, "assignment"), draft(4, "device")])
            assert [record["seq"] for record in await store.ledger(["device", "assignment"])] == [1, 3, 4]
            assert [record["seq"] for record in await store.ledger(["reading"])] == [2]
            assert await store.ledger([]) == []

    asyncio.run(run())


def test_purging_takes_only_old_accepted_readings(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append([draft(1), draft(2, "device"), draft(3, "event"), draft(4), draft(5), draft(6)])
            first = await store.next_batch(HUB, 4, BYTES_MAX)
            assert first is not None
            await store.settle(first.batch_id, [*accepted(*ids(1, 2, 3)), Outcome(ids(4)[0], Status.REFUSED, "no")])
            await store.next_batch(HUB, 1, BYTES_MAX)
            assert await store.purge() == 0
            clock.step_wall(89 * 86_400)
            assert await store.purge() == 0
            clock.step_wall(2 * 86_400)
            assert await store.purge() == 2
            left = {entry.record_id for entry in [await store.record(i) for i in ids(*range(1, 7))] if entry}
            assert left == set(ids(2, 4, 5, 6))
            stats = await store.stats()
            assert stats.records == {State.WAITING: 1, State.BATCHED: 1, State.ACCEPTED: 1, State.REFUSED: 1}

    asyncio.run(run())


def test_equal_values_without_time_or_number_within_the_window_are_one(tmp_path: Path) -> None:
    def heard(number: int, after_ms: int, key: str = "same") -> Draft:
        return Draft(f"{number:064x}", "reading", {}, START_MS + after_ms, once_key=key, once_ms=60_000)

    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            together = [heard(1, 0), heard(2, 10), heard(3, 10, "other")]
            assert await store.append(together) == [True, False, True]
            assert await store.append([heard(4, 60_000)]) == [False]
            clock.step_wall(60)
            await store.purge()  # what may still repeat is not forgotten
        async with opened(tmp_path, clock) as store:
            assert await store.append([heard(5, 60_000)]) == [False]
            assert await store.append([heard(8, -60_000)]) == [False]
            assert await store.append([heard(6, 60_001)]) == [True]
            clock.step_wall(86_400)
            await store.purge()
            assert await store.append([heard(7, -60_000)]) == [True]

    asyncio.run(run())


def test_stats_tell_what_stands_where(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            empty = await store.stats()
            assert (empty.newest_seq, empty.oldest_unsent_ms, empty.last_commit_s) == (0, None, None)
            await store.append(drafts(1, 2, 3, 4))
            first = await store.next_batch(HUB, 1, BYTES_MAX)
            assert first is not None
            assert (await store.stats()).oldest_unsent_ms == START_MS + 1
            await store.settle(first.batch_id, accepted(*first.ids))
            second = await store.next_batch(HUB, 1, BYTES_MAX)
            assert second is not None
            clock.jump(5)
            await store.settle(second.batch_id, [Outcome(second.ids[0], Status.REFUSED, "no")])
            stats = await store.stats()
            assert stats.records == {State.WAITING: 2, State.BATCHED: 0, State.ACCEPTED: 1, State.REFUSED: 1}
            assert (stats.newest_seq, stats.oldest_unsent_ms) == (4, START_MS + 3)
            assert stats.last_commit_s == clock.monotonic_s()
            assert stats.bytes_written > 0
            assert stats.log_bytes > 0
            assert stats.used_bytes == stats.database_bytes + stats.log_bytes
            assert (stats.is_full, stats.damage) == (False, None)
            assert tuple(int(part) for part in stats.sqlite_version.split(".")) >= (3, 51, 3)  # the WAL-reset bug

    asyncio.run(run())


def test_a_body_that_cannot_be_signed_harms_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            bad = Draft("bad", "reading", {"value": 1.5}, START_MS)
            results = await asyncio.gather(
                store.append(drafts(1)),
                store.append([draft(2), bad]),
                store.append(drafts(3)),
                store.next_batch(HUB, 10, BYTES_MAX),
                return_exceptions=True,
            )
            assert results[0] == [True]
            assert isinstance(results[1], BadInput)
            assert results[2] == [True]
            stats = await store.stats()
            assert stats.newest_seq == 2
            assert await store.record(ids(2)[0]) is None

    asyncio.run(run())


def test_an_append_cancelled_while_it_waits_harms_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            waiters = [asyncio.create_task(store.append(drafts(number))) for number in range(50)]
            await asyncio.sleep(0)
            for waiter in waiters[::2]:
                waiter.cancel()
            kept = await asyncio.gather(*waiters, return_exceptions=True)
            assert kept[1::2] == [[True]] * 25
            again = await store.append(drafts(*range(50)))  # whatever was kept of the others, each is there once
            assert len([1 for is_new in again[1::2] if is_new]) == 0
            assert (await store.stats()).newest_seq == 50

    asyncio.run(run())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            last = asyncio.ensure_future(store.append(drafts(1)))
            await asyncio.sleep(0)
        assert await last == [True]  # promised before the end: written before the end
        with pytest.raises(StoreBroken, match="closed"):
            await store.append(drafts(2))

    asyncio.run(run())


def test_proof_of_life_writes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1))
            before = (await store.stats()).bytes_written
            await store.prove()
            assert (await store.stats()).bytes_written == before

    asyncio.run(run())


def test_an_event_about_the_store_is_on_the_ledger(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.tell("store.tested", detail="all of it")
            (event,) = await store.ledger(["event"])
            assert (event["name"], event["detail"]) == ("store.tested", {"detail": "all of it"})
            assert event["received_at"] == "2026-11-21T14:00:03.120Z"
            assert verify(event)
            assert len(event["record_id"]) == len(hashlib.sha256().hexdigest())

    asyncio.run(run())
