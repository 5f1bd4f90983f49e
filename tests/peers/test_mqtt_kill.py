"""No message is lost where the hub is killed between keeping and acknowledging."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.peers.hub import Shelf, in_time, listening, options
from tests.peers.mosquitto import Mosquitto


@pytest.mark.parametrize("version", [5, 3])
def test_killed_before_the_acknowledgement_everything_comes_again(
    mosquitto: Mosquitto, tmp_path: Path, version: int
) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port, version=version, receive_max=10)
        async with listening(source, Shelf().keep):
            pass
        sent: list[str] = []
        kept = tmp_path / "kept"
        for groups in (1, 2, 3):
            victim = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.peers.mqtt_victim"),
                *(str(mosquitto.port), str(version), str(kept), str(groups)),
            )
            dead = asyncio.create_task(victim.wait())
            while not dead.done():  # how many messages make a group is the broker's choice
                more = [f"message-{len(sent) + n}" for n in range(20)]
                await mosquitto.publish_lines("stel/1", more)
                sent += more
            assert dead.result() == -signal.SIGKILL
        shelf = Shelf()
        async with listening(source, shelf.keep):
            before = kept.read_text().splitlines()
            missing = set(sent) - {line.removesuffix(" again") for line in before}
            while missing - set(shelf.payloads):
                await shelf.has(len(shelf.arrivals) + 1)
        assert any(line.endswith(" again") for line in before), "nothing was sent again, so nothing was tested"

    in_time(scenario)
