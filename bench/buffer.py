"""
How fast the store keeps and gives, empty and with many records in it.

    python -m bench.buffer [--records 1000000] [--folder DIR]

Each line is one measurement on a store of its own, encrypted, synchronous=FULL. `wide` appends from many tasks at once,
as intake does; `drain` takes batches and settles them.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from buffer.options import BufferOptions
from buffer.store import Store, open_store
from gateway.core.batch import Batch, Outcome, Status
from gateway.core.reading import Draft
from gateway.core.secret import SecretRef
from gateway.core.time import Instant

_HUB = b'{"id":"hub-7","site":"home","software":"vitals-gateway/0.1.0"}'
_BATCH_MAX, _BYTES_MAX = 200, 4_000_000
_FILL_GROUP = 500
_TURNS = 300  # after a start the writer reads its table of known ids in so many turns, once


class MachineClock:
    """The machine's time."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1_000_000, time.monotonic_ns(), "bench", synchronised=True)

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


def body(number: int) -> dict[str, Any]:
    """A blood-pressure reading of a cellular hub, about 1.5 KB as a record."""
    frame = json.dumps({"deviceId": "861199061234567", "timestamp": 1795269603 + number, "values": ["128", "84", "64"],
                        "vendor": "x" * 420})  # fmt: skip
    codes = ("MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA", "MDC_PULS_RATE_NON_INV")
    return {
        "device": {"id": "stel:861199061234567", "driver": "stel", "driver_version": 1, "manufacturer": "Stel",
                   "model": "Vitals Hub", "serial": "861199061234567", "firmware": "1.4.2", "udi_di": None},
        "patient": "pt-8842", "slot": None, "program": "RPM", "modality": "blood_pressure", "kind": "reading",
        "context": "normal", "site": "home", "transport": "mqtt", "capture": "device", "automatic": True,
        "qualifies": {"day": True, "reason": None, "rules": "us-medicare-2026"},
        "measured_at": "2026-11-21T09:00:00-05:00", "local_date": "2026-11-21",
        "received_at": "2026-11-21T14:00:03.120Z",
        "time": {"source": "device", "device_time": "2026-11-21T09:00:07", "offset_s": "-7.0", "quality": "synced",
                 "uncertainty_s": "1.0"},
        "observations": [{"code": code, "loinc": "8480-6", "value": str(number % 200), "unit": "mm[Hg]"}
                         for code in codes],
        "status": ["irregular_pulse"], "quality": "ok", "frame": frame,
    }  # fmt: skip


def draft(number: int) -> Draft:
    """The draft of one event; the same number is the same event."""
    return Draft(sha256(b"%d" % number).hexdigest(), "reading", body(number), 1_795_269_603_120 + number)


@asynccontextmanager
async def store_in(folder: Path) -> AsyncIterator[Store]:
    """A store in this folder, made if it is not there."""
    key = folder / "key"
    if not key.exists():
        key.write_text("5A" * 32)
    options = BufferOptions(folder / "buffer.db", size_max_bytes=1 << 40, key=SecretRef("file", str(key)))
    async with open_store(options, MachineClock()) as store:
        yield store


async def narrow(store: Store, first: int, count: int, size: int) -> float:
    """Records a second, one append after the other."""
    drafts = [draft(number) for number in range(first, first + count)]
    start_s = time.perf_counter()
    for at in range(0, count, size):
        await store.append(drafts[at : at + size])
    return count / (time.perf_counter() - start_s)


async def wide(store: Store, first: int, count: int, tasks: int) -> float:
    """Records a second, one draft an append, many appends at once."""
    drafts = iter([draft(number) for number in range(first, first + count)])

    async def source() -> None:
        for one in drafts:
            await store.append([one])

    start_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(source())
    return count / (time.perf_counter() - start_s)


async def drain(store: Store, count: int) -> float:
    """Records a second, from waiting to accepted."""
    start_s = time.perf_counter()
    batch: Batch | None = await store.next_batch(_HUB, _BATCH_MAX, _BYTES_MAX)
    done = 0
    while batch is not None and done < count:
        outcomes = [Outcome(record_id, Status.ACCEPTED) for record_id in batch.ids]
        done += len(outcomes)
        _, batch = await asyncio.gather(
            store.settle(batch.batch_id, outcomes), store.next_batch(_HUB, _BATCH_MAX, _BYTES_MAX)
        )
    return done / (time.perf_counter() - start_s)


async def fill(store: Store, first: int, last: int) -> None:
    """Records up to this number, settled as they come."""
    for at in range(first, last, _FILL_GROUP):
        await store.append([draft(number) for number in range(at, min(at + _FILL_GROUP, last))])
        if at % (_FILL_GROUP * 20) == 0:
            await drain(store, 1 << 60)
    await drain(store, 1 << 60)


async def measure(store: Store, first: int) -> dict[str, float]:
    """Every rate, on a store whose newest event has this number."""
    for _ in range(_TURNS):
        await store.prove()
    before, busy_s = (await store.stats()).bytes_written, time.process_time()
    rates = {
        "append 1 at a time": await narrow(store, first, 1000, 1),
        "append 20 at a time": await narrow(store, first + 1000, 5000, 20),
        "append 100 at a time": await narrow(store, first + 6000, 10_000, 100),
        "append from 100 tasks": await wide(store, first + 16_000, 10_000, 100),
    }
    rates["processor us a record"] = (time.process_time() - busy_s) / 26_000 * 1e6
    rates["log bytes a record"] = ((await store.stats()).bytes_written - before) / 26_000
    rates["drain in batches of 200"] = await drain(store, 1 << 60)
    start_s = time.perf_counter()
    await store.stats()
    rates["stats, ms"] = (time.perf_counter() - start_s) * 1000
    return rates


async def main() -> None:
    """Print the rates of an empty store, then those of a full one beside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep the full store here and use it again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        empty, full = Path(scratch, "empty"), arguments.folder or Path(scratch, "full")
        for folder in (empty, full):
            folder.mkdir(parents=True, exist_ok=True)
        async with store_in(empty) as store:
            few = await measure(store, 0)
        async with store_in(full) as store:
            await fill(store, (await store.stats()).newest_seq, arguments.records)
        async with store_in(full) as store:
            stats = await store.stats()
            many = await measure(store, stats.newest_seq)
    print(json.dumps(asdict(stats), default=str))
    for name, rate in few.items():
        print(f"{name:28} {rate:10.1f} empty {many[name]:10.1f} with {stats.newest_seq}: {many[name] / rate:.2f}")
    print(f"processors: {os.cpu_count()}")


if __name__ == "__main__":
    asyncio.run(main())
