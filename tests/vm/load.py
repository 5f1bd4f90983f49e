"""
Runs in the machine until its power goes: the store under load, and a witness of what it promised.

The witness stands on the same disk, beyond the file system, and writes past the page cache: so its place in the disk's
log of writes says what had been promised when, and it flushes nothing that the store did not flush.
"""

import asyncio
import mmap
import os
import sys
from pathlib import Path

from buffer.store import Store
from tests.buffer.make import opened
from tests.crash.appender import load
from tests.vm.disk import BLOCK_BYTES, WITNESS_AT


class Witness:
    """Writes down each promise before the next can be made."""

    def __init__(self, device: str) -> None:
        self._disk = os.open(device, os.O_WRONLY | os.O_DIRECT)
        self._block = mmap.mmap(-1, BLOCK_BYTES)  # aligned, as O_DIRECT asks

    def say(self, word: str, record_id: str) -> None:
        """One block."""
        self._block[:] = f"{word} {record_id}\n".encode().ljust(BLOCK_BYTES, b"\0")
        os.pwrite(self._disk, self._block, WITNESS_AT)


def hasten(store: Store) -> None:
    """Copying the log back and filing ids come many times in a run instead of once in hours."""
    writer = store._writer
    writer._log._max_bytes = 256 * 1024
    writer._known._file_at, writer._known._slices = 150, 4


def weaken(store: Store, synchronous: str) -> None:
    """What the store refuses to be opened with: the tests show that it would lose promises."""
    db = store._writer._db
    db.execute(f"PRAGMA synchronous = {synchronous}")


async def main() -> None:
    """Until the power goes."""
    async with opened(Path(sys.argv[1])) as store:
        hasten(store)
        if synchronous := os.environ.get("VM_SYNCHRONOUS"):
            weaken(store, synchronous)
        print("opened", flush=True)  # noqa: T201 -- the console is how the machine speaks
        await load(store, os.environ["VM_RUN"], Witness("/dev/vdc").say)


if __name__ == "__main__":
    asyncio.run(main())
