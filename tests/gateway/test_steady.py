"""What goes on beside the sources for the daemon's life must not end it."""

import asyncio
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from buffer.store import open_store
from gateway.core.batch import State
from gateway.core.errors import StoreFull
from gateway.lookout import Lookout, SignOfLife
from gateway.wiring import _purge
from tests.buffer.make import MIB, draft, drafts, options
from tests.buffer.test_space import settle_next
from tests.fakes.clock import FakeClock
from tests.gateway.evidence.hub import CUFF, FIRST, PATIENT, hub

_DAY_S = 86_400
# SQLite's file format, 1.6: a table's leaf page begins with 13.
_PAGE, _LEAF = 4096, 13


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


def spoil_one_reading(file: Path) -> None:
    """Overwrite a page that holds readings and nothing else, as a dying card does."""
    content = bytearray(file.read_bytes())
    starts = [at for at in range(0, len(content), _PAGE) if content[at] == _LEAF]
    only = [at for at in starts if set(re.findall(rb'"type":"(\w+)"', content[at : at + _PAGE])) == {b"reading"}]
    at = only[len(only) // 2]
    content[at : at + _PAGE] = b"Z" * _PAGE
    file.write_bytes(content)


def test_a_page_that_cannot_be_read_does_not_end_the_daemon(tmp_path: Path) -> None:
    async def run() -> str | None:
        async with hub(tmp_path) as made:
            await made.enrol()
            await made.assign(CUFF, PATIENT)
            for day in range(20):
                await made.measure(FIRST + timedelta(days=day))
        spoil_one_reading(tmp_path / "buffer.db")
        async with hub(tmp_path, made.clock) as again:
            look = Lookout(again.store, again.clock, [], again.desk.tally, SignOfLife(tmp_path / "alive"))
            looking = asyncio.create_task(look.run())
            while (found := (await again.store.stats()).damage) is None and not looking.done():
                pass
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            return found

    assert "cannot be read" in str(asyncio.run(run()))
