"""
What the daemon costs while nothing happens: memory, processor, and the time from start to READY.

    python -m bench.idle [--seconds 60]

A real mosquitto and the reference backend run beside it; one reading goes the whole way first, so that everything the
daemon ever loads is loaded. The floor is Python importing asyncio, paho, httpx and sqlcipher3, in the same run.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

if __package__ in (None, ""):  # started as a file: the project's root in place of bench/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import psutil

from bench._town import Town, founded

MEMORY_AIM_MIB = 45.0
PROCESSOR_AIM_PERCENT = 0.3
START_AIM = 1.5
# rich is what only this checkout has installed: on a hub httpx does not find it, and the floor must not gain by it
_FLOOR = "import sys; sys.modules['rich'] = None; import asyncio, paho.mqtt.client, httpx, sqlcipher3"
_ROUNDS = 5
_WARM_S = 15  # the daemon gives back what start-up needed ten seconds after it is ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as folder, founded(Path(folder)) as town:
        _start_up(town)
        _idle(town, seconds)


def _start_up(town: Town) -> None:
    town.start_daemon()  # the first start makes the store
    town.stop_daemon()
    ready, floor = [], []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        town.start_daemon()
        ready.append(time.perf_counter() - began)
        town.stop_daemon()
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _FLOOR], check=True)
        floor.append(time.perf_counter() - began)
    ratio = median(ready) / median(floor)
    print(f"start to READY   {median(ready):.2f} s, bare imports {median(floor):.2f} s: {ratio:.2f} (aim {START_AIM})")


def _idle(town: Town, seconds: int) -> None:
    daemon = psutil.Process(town.start_daemon())
    town.publish_one()
    time.sleep(_WARM_S)
    before, began = daemon.cpu_times(), time.perf_counter()
    time.sleep(seconds)
    after, spent = daemon.cpu_times(), time.perf_counter() - began
    used = after.user + after.system - before.user - before.system
    memory = daemon.memory_info().rss / 2**20
    print(f"memory           {memory:.1f} MiB resident (aim {MEMORY_AIM_MIB})")
    print(f"processor        {100 * used / spent:.2f} % of a core over {spent:.0f} s (aim {PROCESSOR_AIM_PERCENT})")


if __name__ == "__main__":
    main()
