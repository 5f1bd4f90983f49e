"""Real peers, each in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.mosquitto import Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that lets everybody in."""
    broker = Mosquitto(tmp_path / "broker", ["allow_anonymous true", "max_queued_messages 0"])
    broker.start()
    yield broker
    broker.kill()
