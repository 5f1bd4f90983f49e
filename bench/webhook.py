"""
A vendor's POST to durable, against the same server that answers without storing. Aim, over TLS: half of its rate.

    python -m bench.webhook [--count 2000] [--rounds 5] [--callers 16]

`hub` is the whole way in: decoded, placed, judged, chained, encrypted, committed with synchronous=FULL, then 200.
`read` is the same without the store, and what the aim is about. `bare` does not even look at the body: TLS, HTTP,
credentials, 200. Each runs in a process of its own; CALLERS connections stay open and post one message after the other.
The caller shares the machine's cores, so each server's own CPU time stands beside its rate. Medians are compared.
Without TLS, as behind a reverse proxy, answering costs less and keeping the same: that is shown and has no aim.
"""

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

if __package__ in (None, ""):  # started as a file: the project's root in place of bench/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from drivers.contract import Keep
from gateway.core.reading import Arrival, Draft
from tests.peers.webhook.site import Authority, Site, options, request, standing, stel

AIM = 0.5
_LIMIT_S = 120
_ANSWER = b"Kept.\n"


def main() -> None:
    asked = _arguments()
    if asked.role:
        asyncio.run((_SERVERS | {"callers": _post})[asked.role](asked))
        return
    for scheme in ("https", "http"):
        _compare(asked, scheme)


def _compare(asked: argparse.Namespace, scheme: str) -> None:
    runs: dict[str, list[dict[str, float]]] = {role: [] for role in _SERVERS}
    for _ in range(asked.rounds):
        for role, seen in runs.items():
            seen.append(_measure(asked, scheme, role))
    rates = {role: median(run["per_s"] for run in seen) for role, seen in runs.items()}
    for role, seen in runs.items():
        share, cpu_us = rates[role] / rates["bare"], median(run["cpu_us"] for run in seen)
        print(f"{scheme:5}  {role:4} {rates[role]:>7,.0f} posts/s   {share:.2f} of bare   {cpu_us:.0f} us CPU each")
    share = rates["hub"] / rates["read"]
    verdict = f"; aim {AIM}: {'met' if share >= AIM else 'not met'}" if scheme == "https" else ""
    print(f"{scheme:5}  hub is {share:.2f} of read{verdict}")


def _measure(asked: argparse.Namespace, scheme: str, role: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.webhook", "--role", role, "--scheme", scheme]
    command += ["--count", str(asked.count), "--callers", str(asked.callers)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_LIMIT_S, cwd=root)
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _bare(asked: argparse.Namespace) -> None:
    async def keep(_arrivals: Sequence[Arrival]) -> None:
        pass

    with tempfile.TemporaryDirectory(prefix="bench-webhook-") as folder:
        await _serve(asked, Path(folder), keep)


async def _read(asked: argparse.Namespace) -> None:
    from config.rules import profiles, rules_in_force
    from drivers.registry import named
    from gateway.intake import Intake, Place
    from gateway.metrics import Counts
    from gateway.qualification import qualifier
    from gateway.registry import Registry

    async def forget(drafts: Sequence[Draft]) -> list[bool]:
        return [True] * len(drafts)

    with tempfile.TemporaryDirectory(prefix="bench-webhook-") as folder:
        hub = _configuration(Path(folder)).hub
        qualify = qualifier(Registry.from_ledger([]), profiles(), rules_in_force(), hub.zone)
        intake = Intake(forget, named, qualify, Place(hub.site, hub.zone), Counts())
        await _serve(asked, Path(folder), intake.keep)


async def _hub(asked: argparse.Namespace) -> None:
    from gateway.wiring import local_desk

    with tempfile.TemporaryDirectory(prefix="bench-webhook-") as folder:
        async with local_desk(_configuration(Path(folder))) as desk:

            async def keep(arrivals: Sequence[Arrival]) -> None:
                tally = await desk.intake.keep(arrivals)
                assert tally.refused == 0, "the messages of this benchmark are not read"

            await _serve(asked, Path(folder), keep)


async def _serve(asked: argparse.Namespace, folder: Path, keep: Keep) -> None:
    """One listener, posted to by a process of its own; prints what it took."""
    authority = Authority(folder) if asked.scheme == "https" else None
    source = options(folder, certificate=authority.issue() if authority else None)
    async with standing([source], keep, authority) as site, _callers(asked, site, authority) as callers:
        began_cpu_s = time.process_time()
        lines, _ = await asyncio.wait_for(callers.communicate(), _LIMIT_S)
        cpu_s = time.process_time() - began_cpu_s
    print(json.dumps({**json.loads(lines), "cpu_us": cpu_s / asked.count * 1e6}))


@asynccontextmanager
async def _callers(
    asked: argparse.Namespace, site: Site, authority: Authority | None
) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", "bench.webhook", "--role", "callers", "--port", str(site.port)]
    command += ["--count", str(asked.count), "--callers", str(asked.callers)]
    command += ["--ca", str(authority.root)] if authority else []
    yield await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def _post(asked: argparse.Namespace) -> None:
    """Post every message once; each caller waits for its answer. Written by hand: a client library would be slower."""

    context = ssl.create_default_context(cafile=asked.ca) if asked.ca else None
    streams = [await asyncio.open_connection("localhost", asked.port, ssl=context) for _ in range(asked.callers)]
    messages = iter([request(stel(number)) for number in range(asked.count)])

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for message in messages:
            writer.write(message)
            answer = await reader.readuntil(_ANSWER)
            assert answer.startswith(b"HTTP/1.1 200 "), answer

    began_s = time.perf_counter()
    await asyncio.gather(*(call(*stream) for stream in streams))
    print(json.dumps({"per_s": asked.count / (time.perf_counter() - began_s)}))
    for _, writer in streams:
        writer.close()


def _configuration(folder: Path) -> Any:
    from config.load import parse

    (folder / "key").write_text("00" * 32)
    return parse(
        '[hub]\nid = "hub-bench"\nsite = "cloud"\ntimezone = "America/New_York"\n'
        f'[buffer]\npath = "{folder}/buffer.db"\nkey = "file:{folder}/key"\n'
    )


_SERVERS = {"bare": _bare, "read": _read, "hub": _hub}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--role", choices=[*_SERVERS, "callers"], help=argparse.SUPPRESS)
    parser.add_argument("--scheme", default="https", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--ca", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
