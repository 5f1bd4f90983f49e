from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.serial.desk import Cable


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    """Plugged in."""
    cable = Cable(tmp_path / "serial" / "by-id" / "usb-scale-if00-port0")
    cable.plug()
    yield cable
    cable.unplug()


@pytest.fixture
def loose(tmp_path: Path) -> Iterator[Cable]:
    """Not plugged in yet."""
    cable = Cable(tmp_path / "serial" / "by-id" / "usb-scale-if00-port0")
    yield cable
    cable.unplug()
