"""What goes on beside the sources for the daemon's life must not end it."""

import asyncio
from contextlib import suppress
from pathlib import Path

from buffer.store import open_store
from gateway.core.batch import State
from gateway.core.errors import StoreFull
from gateway.wiring import _purge
from tests.buffer.make import MIB, draft, drafts, options
from tests.buffer.test_space import settle_next
from tests.fakes.clock import FakeClock

_DAY_S = 86_400


def fill_disk(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


def clear_disk(folder: Path) -> None:
    for file in folder.glob("ballast*"):
        file.unlink()


def test_a_disk_too_full_to_delete_is_tried_again_later(small_disk: Path) -> None:
    async def run() -> tuple[bool, int]:
        clock = FakeClock()
        async with open_store(options(small_disk, 64 * MIB), clock) as store:
            await store.append(drafts(*range(1500)))
            for _ in range(15):
                await settle_next(store, 100)
            clock.step_wall(100 * _DAY_S)
            for turn in range(3):  # the headroom that a full disk gives up is taken as well
                fill_disk(small_disk / f"ballast{turn}")
                with suppress(StoreFull):
                    await store.append([draft(5000 + turn, size=30_000)])
            fill_disk(small_disk / "ballast")
            await _purge(store)
            is_full = (await store.stats()).is_full
            clear_disk(small_disk)
            await _purge(store)
            return is_full, (await store.stats()).records[State.ACCEPTED]

    assert asyncio.run(run()) == (True, 0)
