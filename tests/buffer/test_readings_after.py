"""The readings kept after a number, for whoever waits for one."""

import asyncio
from pathlib import Path

from gateway.core.batch import State
from tests.buffer.make import HUB, accepted, draft, drafts, ids, opened


def test_readings_after_a_number_come_in_order_and_in_portions(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append([draft(1), draft(2, "event"), *drafts(3, 4, 5)])
            assert [entry.seq for entry in await store.readings_after(0, 10)] == [1, 3, 4, 5]
            assert [entry.seq for entry in await store.readings_after(1, 2)] == [3, 4]
            assert await store.readings_after(5, 10) == []
            batch = await store.next_batch(HUB, 10, 10**6)
            assert batch is not None
            await store.settle(batch.batch_id, accepted(*ids(3)))
            assert [entry.state for entry in await store.readings_after(1, 1)] == [State.ACCEPTED]

    asyncio.run(run())
