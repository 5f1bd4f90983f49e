"""A backend of its own for each test: in this process for speed, or a real one on a socket."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from uploader.receiver.store import Store

# A fresh connection each time, as the backend may have been killed; a slow machine is no failure.
CLIENT = httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


class Live:
    """`python -m uploader.receiver` on a free port; `start` again after `kill` opens the same store."""

    def __init__(self, store: Path, *more: str) -> None:
        self.store = store
        self._command = [sys.executable, "-m", "uploader.receiver", "--listen", "127.0.0.1:0", "--store", str(store)]
        self._command += more
        self._running: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> str:
        """Its address, once it listens."""
        self._running = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._running.stdout is not None
        self.url = self._running.stdout.readline().strip()
        assert self.url, "the backend did not start"
        return self.url

    def kill(self) -> None:
        """SIGKILL: as a power cut, but for the disk's cache."""
        self._end(kill=True)

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        return self._end(kill=False)

    def _end(self, *, kill: bool) -> int:
        running, self._running = self._running, None
        if running is None:
            return 0
        with running:
            running.kill() if kill else running.terminate()
            return running.wait(15)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "receiver.db")
    yield opened
    opened.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    backend = Live(tmp_path / "receiver.db")
    backend.start()
    yield backend
    backend.kill()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One for a whole module, for tests that leave it as it was."""
    backend = Live(tmp_path_factory.mktemp("standing") / "receiver.db")
    backend.start()
    yield backend
    backend.kill()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One that asks for the token `s3cret`."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "token").write_text("s3cret\n")
    backend = Live(folder / "receiver.db", "--token", f"file:{folder / 'token'}")
    backend.start()
    yield backend
    backend.kill()
