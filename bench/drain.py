"""
How fast 100,000 waiting records leave the hub, against httpx posting the same bytes.

    python -m bench.drain [--records 100000] [--batch-max 200] [--compress gzip]

Each line is one backend in a process of its own: `reference` is uploader.receiver, which verifies and stores; `sink`
reads and answers and does nothing else. The hub's side takes batches from its encrypted store, packs, sends, judges
and settles; httpx's side has the packed bodies in memory and posts them. The ratio is httpx's time by the hub's.
"""

import argparse
import asyncio
import http.server
import json
import multiprocessing
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from buffer.options import BufferOptions
from buffer.store import Store, open_store
from gateway.clock import HubClock
from gateway.core.link import LinkState
from gateway.core.reading import Draft
from gateway.core.record import canonical
from gateway.core.secret import SecretRef
from uploader.client import Client
from uploader.envelope import Parcel
from uploader.loop import Uploader
from uploader.options import UploadOptions
from uploader.verdict import Answer

HUB_ID = "hub-7"
HUB = canonical({"id": HUB_ID, "site": "home", "software": "vitals-gateway/0.1.0"})
PATH = "/api/v1/readings/batches/"
FILL_GROUP = 1000
START_MS = 1_795_269_603_120


def draft(number: int) -> Draft:
    """A blood-pressure reading of a cellular hub, 1.2 kB as a record."""
    minute = number // 60 % 60
    time_text = f"2026-03-03T13:{minute:02}:{number % 60:02}+00:00"
    systolic, diastolic, pulse = str(100 + number % 60), str(60 + number % 30), str(60 + number % 40)
    frame = {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "meta": {"schemaVersion": "stel-v2.0"},
        "hubId": "ABCDE12345",
        "transmissionTime": time_text,
        "device": {"mac": f"AB:CD:EF:12:34:{number % 5:02X}", "make": None, "model": "BP Cuff"},
        "measure": {"type": "bloodpressure", "time": time_text, "data": {"heartRate": pulse, "systolic": systolic}},
    }
    values = (("MDC_PRESS_BLD_NONINV_SYS", "8480-6", systolic, "mm[Hg]"),
              ("MDC_PRESS_BLD_NONINV_DIA", "8462-4", diastolic, "mm[Hg]"),
              ("MDC_PULS_RATE_NON_INV", "8867-4", pulse, "/min"))  # fmt: skip
    body: dict[str, Any] = {
        "device": {"id": f"stel:AB:CD:EF:12:34:{number % 5:02X}", "driver": "stel", "driver_version": 1,
                   "manufacturer": None, "model": "BP Cuff", "serial": None, "firmware": None, "udi_di": None},
        "patient": None, "slot": None, "program": "RPM", "modality": "blood_pressure", "kind": "reading",
        "context": "normal", "site": "home", "transport": "mqtt", "capture": "device", "automatic": True,
        "qualifies": {"day": False, "reason": "Q03 device not assigned", "rules": "us-medicare-2026"},
        "measured_at": "2026-03-03T08:00:00-05:00", "local_date": "2026-03-03",
        "received_at": "2026-11-21T14:00:03.120Z",
        "time": {"source": "device", "device_time": time_text, "offset_s": "0.0", "quality": "synced",
                 "uncertainty_s": "1.0"},
        "observations": [dict(zip(("code", "loinc", "value", "unit"), value, strict=True)) for value in values],
        "status": [], "quality": "ok", "frame": json.dumps(frame),
    }  # fmt: skip
    return Draft(sha256(b"%d" % number).hexdigest(), "reading", body, START_MS + number)


async def fill(store: Store, records: int) -> None:
    for start in range(0, records, FILL_GROUP):
        await store.append([draft(number) for number in range(start, min(start + FILL_GROUP, records))])


# -------------------------------------------------------------------------------------------------- backends


@contextmanager
def reference(folder: Path) -> Iterator[str]:
    """uploader.receiver on an empty store."""
    command = [
        sys.executable,
        "-m",
        "uploader.receiver",
        "--listen",
        "127.0.0.1:0",
        "--store",
        str(folder / "cloud.db"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout
        words = running.stdout.readline().split()
        address = next(word for word in words if word.startswith("http"))
        yield address.rstrip("/") + PATH
        running.send_signal(signal.SIGTERM)


@contextmanager
def sink(_folder: Path) -> Iterator[str]:
    """Reads, unpacks, accepts everything, keeps nothing."""
    ours, theirs = multiprocessing.Pipe()
    running = multiprocessing.get_context("spawn").Process(target=serve_sink, args=(theirs,), daemon=True)
    running.start()
    yield f"http://127.0.0.1:{ours.recv()}{PATH}"
    running.terminate()
    running.join()


def serve_sink(told: Connection) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    told.send(server.server_address[1])
    server.serve_forever()


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # a hub that was killed hangs up
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        batch = json.loads(zlib.decompress(body, wbits=31) if self.headers.get("Content-Encoding") == "gzip" else body)
        results = [{"record_id": record["record_id"], "status": "accepted"} for record in batch["records"]]
        answer = json.dumps({"batch_id": batch["batch_id"], "results": results, "missing": []}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
        self.wfile.write(head.encode() + answer)


# -------------------------------------------------------------------------------------------------- the two sides


class Recorder:
    """The client, remembering what it sent."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.sent: list[Parcel] = []

    async def send(self, parcel: Parcel) -> Answer:
        self.sent.append(parcel)
        return await self._client.send(parcel)

    def stamp(self) -> object:
        return self._client.stamp()


async def drain(store: Store, options: UploadOptions, records: int) -> tuple[float, list[Parcel]]:
    """Seconds until every record is settled, and what was sent."""
    clock = HubClock()
    async with Client(options, HUB_ID, clock) as client:
        recorder = Recorder(client)
        link = LinkState("upload", "upload")
        up = Uploader(store, recorder, options, clock, random.random, link, HUB)
        started_s = time.perf_counter()
        task = asyncio.create_task(up.run())
        while up.counts.records.total() < records and not task.done():
            await clock.sleep(0.02)
        while (await store.stats()).oldest_unsent_ms is not None and not task.done():
            await clock.sleep(0.005)
        took_s = time.perf_counter() - started_s
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert up.counts.records["accepted"] == sum(len(parcel.ids) for parcel in recorder.sent), up.counts
        return took_s, recorder.sent


def post(url: str, parcels: list[Parcel]) -> float:
    """Seconds that httpx takes to post the same bytes and read the answers."""
    import httpx

    with httpx.Client(timeout=30.0) as client:
        started_s = time.perf_counter()
        for parcel in parcels:
            client.post(url, content=parcel.body, headers=parcel.headers).raise_for_status()
        return time.perf_counter() - started_s


Backend = Callable[[Path], AbstractContextManager[str]]


async def compare(name: str, backend: Backend, given: argparse.Namespace, folder: Path) -> None:
    key = folder / "key"
    key.write_text("5AC3" * 16)
    buffer = BufferOptions(folder / "hub.db", 4096 * 1024 * 1024, 90, SecretRef("file", str(key)))
    async with open_store(buffer, HubClock()) as store:
        await fill(store, given.records)
        (folder / "a").mkdir()
        with backend(folder / "a") as url:
            options = UploadOptions(url, batch_max=given.batch_max, compress=given.compress)
            ours_s, parcels = await drain(store, options, given.records)
    (folder / "b").mkdir()
    with backend(folder / "b") as url:
        theirs_s = post(url, parcels)
    sent_mb = sum(len(parcel.body) for parcel in parcels) / 1e6
    print(f"{name:10} hub {given.records / ours_s:8.0f} records/s   httpx {given.records / theirs_s:8.0f} records/s"
          f"   ratio {theirs_s / ours_s:.2f}   {len(parcels)} requests, {sent_mb:.1f} MB")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--batch-max", type=int, default=200)
    parser.add_argument("--compress", choices=["gzip", "zstd", "none"], default="gzip")
    given = parser.parse_args()
    for name, backend in (("reference", reference), ("sink", sink)):
        if name == "sink" and given.compress == "zstd":
            continue  # it unpacks with the standard library only
        with tempfile.TemporaryDirectory(prefix="vitals-drain-") as folder:
            asyncio.run(compare(name, backend, given, Path(folder)))


if __name__ == "__main__":
    main()
