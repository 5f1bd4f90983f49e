"""
A hub that keeps messages in a file and, after so many groups, kills itself between keeping and acknowledging.

    python -m tests.peers.mqtt_victim PORT VERSION FILE GROUPS
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from drivers.transports.mqtt import listen
from gateway.clock import HubClock
from gateway.core.link import LinkState
from gateway.core.reading import Arrival
from tests.peers.hub import options


async def main() -> None:
    """Keep until killed."""
    port, version, kept, groups_left = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

    async def keep(arrivals: Sequence[Arrival]) -> None:
        nonlocal groups_left
        _write(kept, arrivals)
        groups_left -= 1
        if not groups_left:
            os.kill(os.getpid(), signal.SIGKILL)

    await listen(options(port, version=version, receive_max=10), keep, HubClock(), LinkState("cell", "mqtt"))


def _write(kept: Path, arrivals: Sequence[Arrival]) -> None:
    with kept.open("ab") as file:
        for arrival in arrivals:
            file.write(arrival.frame.payload + (b" again\n" if arrival.resent is not None else b"\n"))
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    asyncio.run(main())
