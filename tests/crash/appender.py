"""
A daemon to be killed: appends from several tasks, settles batches, and says on stdout what it was promised.

    python -m tests.crash.appender FOLDER RUN
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from buffer.store import Store
from gateway.core.reading import Draft
from tests.buffer.make import HUB, accepted, opened

TASKS = 8
# Told of each promise at once: "kept" or "accepted", and the record's id.
Say = Callable[[str, str], None]


def print_whole(word: str, record_id: str) -> None:
    """One write call, so that a kill cannot cut a line in two."""
    os.write(1, f"{word} {record_id}\n".encode())


async def append(store: Store, run: str, task: int, say: Say) -> None:
    """Append for ever."""
    number = 0
    while True:
        drafts = [Draft(f"{run}-{task}-{number + more}", "reading", {"n": more, "pad": "x" * 400}, number)
                  for more in range(1 + number % 3)]  # fmt: skip
        await store.append(drafts)
        for draft in drafts:
            say("kept", draft.record_id)
        number += len(drafts)


async def send(store: Store, say: Say) -> None:
    """Take batches and settle them for ever."""
    while True:
        await store.arrived.wait()
        store.arrived.clear()
        while batch := await store.next_batch(HUB, 20, 100_000):
            await store.settle(batch.batch_id, accepted(*batch.ids[:-1]))
            for record_id in batch.ids[:-1]:
                say("accepted", record_id)


async def load(store: Store, run: str, say: Say) -> None:
    """Append and send until killed."""
    async with asyncio.TaskGroup() as group:
        for task in range(TASKS):
            group.create_task(append(store, run, task, say))
        group.create_task(send(store, say))


async def main() -> None:
    """Until killed."""
    async with opened(Path(sys.argv[1])) as store:
        await load(store, sys.argv[2], print_whole)


if __name__ == "__main__":
    asyncio.run(main())
