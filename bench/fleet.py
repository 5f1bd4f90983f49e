"""
Four instances on a shared subscription against one: messages kept in a second, reported without an aim.

    python -m bench.fleet [--count 20000] [--rounds 3]

One mosquitto. Each instance is a daemon of its own with its own encrypted store, started, ready and then stopped with
SIGSTOP while the broker is given COUNT different messages for their sessions; the clock runs from SIGCONT until every
message is durable, as the instances' metrics say. On a machine with two cores, two of them do the work of two.
"""

import argparse
import asyncio
import json
import re
import signal
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.request import urlopen

if __package__ in (None, ""):  # started as a file: the project's root in place of bench/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from drivers.virtual.cellular import cuff
from gateway.clock import HubClock
from tests.peers.fleet import Fleet
from tests.peers.mosquitto import Mosquitto

SIZES = (1, 2, 4)
_LIMIT_S = 300
_LOOK_S = 0.02
_READINGS = re.compile(r"^vitals_readings_total\{[^}]*\} (\d+)", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    lines = _lines(asked.count)
    rates: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(asked.rounds):
        for size, seen in rates.items():
            seen.append(asked.count / asyncio.run(_measured(size, lines)))
    alone = median(rates[1])
    for size, seen in rates.items():
        rate = median(seen)
        spread = f"{min(seen):,.0f} to {max(seen):,.0f}"
        print(f"{size} instance{'s' * (size > 1):1} {rate:>8,.0f} messages/s   {rate / alone:.2f} of one   ({spread})")


def _lines(count: int) -> list[str]:
    first = datetime(2026, 3, 3, tzinfo=UTC)
    messages = (cuff(f"AB:CD:EF:12:{n % 100:02d}:01", first + timedelta(seconds=n), 120, 80, 60) for n in range(count))
    return [json.dumps(json.loads(message.payload)) for message in messages]


async def _measured(size: int, lines: list[str]) -> float:
    """Seconds from the first instance's waking until every message is durable."""
    clock = HubClock()
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        broker = Mosquitto(Path(folder, "broker"), ["allow_anonymous true", "max_queued_messages 0"])
        broker.start()
        ports = {f"cloud-{number}": _free_port() for number in range(size)}
        fleet = Fleet(Path(folder), broker.port, more=lambda name: f'[metrics]\nlisten = "127.0.0.1:{ports[name]}"\n')
        try:
            async with asyncio.timeout(_LIMIT_S):
                for name in ports:
                    await fleet.start(name)
                fleet.signal_all(signal.SIGSTOP)
                await broker.publish_lines("stel/1", lines)
                fleet.signal_all(signal.SIGCONT)
                began = time.perf_counter()
                while await asyncio.to_thread(_kept, list(ports.values())) < len(lines):
                    await clock.sleep(_LOOK_S)
                return time.perf_counter() - began
        finally:
            await fleet.stop()
            broker.kill()


def _kept(ports: list[int]) -> int:
    total = 0
    for port in ports:
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            total += sum(int(count) for count in _READINGS.findall(answer.read().decode()))
    return total


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
