"""Looking back over what was kept."""

import asyncio
from pathlib import Path

from gateway.core.reading import Draft
from tests.buffer.make import accepted, draft, drafts, ids, opened
from tests.fakes.clock import START_MS, FakeClock


def test_what_follows_a_number_comes_in_order_with_its_standing(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1, 2, 3))
            batch = await store.next_batch(b"{}", 2, 1_000_000)
            assert batch
            await store.settle(batch.batch_id, accepted(*ids(1, 2)))
            found = await store.follow(1, 10)
            assert [(entry.seq, entry.state.value, entry.settled_ms is None) for entry in found] == [
                (2, "accepted", False),
                (3, "waiting", True),
            ]
            assert [entry.seq for entry in await store.follow(0, 1)] == [1]

    asyncio.run(run())


def test_the_first_number_since_a_moment(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path, FakeClock(jumps=True)) as store:
            await store.append([draft(number, received_ms=START_MS + number * 1000) for number in (1, 2, 3)])
            assert await store.first_since(START_MS + 1500) == 2
            assert await store.first_since(START_MS + 9999) is None

    asyncio.run(run())


def test_events_are_found_by_how_their_name_begins(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            bodies = [
                {"name": "issue.opened"},
                {"name": "access"},
                {"frame": '{"name":"issue.x"}'},
                {"name": "issue.closed"},
            ]
            await store.append([Draft(f"{n:064x}", "event", body, START_MS) for n, body in enumerate(bodies)])
            assert [entry.record["name"] for entry in await store.events("issue.")] == ["issue.opened", "issue.closed"]

    asyncio.run(run())
