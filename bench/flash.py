"""
Bytes a reading costs the card: one at a time with quiet between, and in bursts of 100.

    python -m bench.flash [--readings 40] [--folder DIR]

What the kernel says this process wrote (/proc/self/io, write_bytes), settling and checkpoints included: each reading
is kept, taken in a batch and accepted. The floor is the record's own bytes. The folder must lie on the disk to measure.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

if __package__ in (None, ""):  # started as a file: the project's root in place of bench/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.buffer import MachineClock, body, draft, store_in
from buffer.store import Store
from buffer.writer import IDLE_S
from gateway.core.batch import Outcome, Status
from gateway.core.record import canonical

_BURST = 100
_HUB = b'{"id":"hub-7","site":"home","software":"vitals-gateway/0.1.0"}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-flash-", dir=asked.folder) as folder:
        asyncio.run(_measure(Path(folder), asked.readings))


async def _measure(folder: Path, count: int) -> None:
    print(f"record                  {len(canonical(body(0))):>8,} bytes")
    async with store_in(folder) as store:
        single = await _spent(store, 0, count, 1)
        burst = await _spent(store, count, 10 * _BURST, _BURST)
    print(f"one at a time, quiet    {single:>8,} bytes written a reading")
    print(f"in bursts of {_BURST}        {burst:>8,} bytes written a reading")


async def _spent(store: Store, first: int, count: int, size: int) -> int:
    before = _written()
    for start in range(first, first + count, size):
        await store.append([draft(number) for number in range(start, start + size)])
        batch = await store.next_batch(_HUB, size, 10**8)
        assert batch is not None
        await store.settle(batch.batch_id, [Outcome(each, Status.ACCEPTED) for each in batch.ids])
        await MachineClock().sleep(IDLE_S + 0.3)  # as at home: in the quiet the log is moved into the file
    return (_written() - before) // count


def _written() -> int:
    """Bytes this process caused to be written to storage."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["write_bytes"])


if __name__ == "__main__":
    main()
