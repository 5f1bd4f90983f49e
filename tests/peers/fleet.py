"""Daemons in the fleet form: instances that share one broker and one backend, each with its own store."""

import asyncio
import os
import secrets
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import HubClock

_LOOK_S = 0.02
_CONFIG = """
[hub]
id = "{name}"
site = "cloud"
timezone = "America/New_York"
[buffer]
path = "{folder}/{name}.db"
key = "file:{folder}/buffer.key"
[[mqtt]]
name = "cell"
url = "mqtt://127.0.0.1:{port}"
client_id = "{name}"
topics = [{{ filter = "$share/{group}/stel/#", driver = "stel" }}]
"""
_UPLOAD = """
[upload]
url = "{backend}/api/v1/readings/batches/"
batch_wait_s = 0.05
"""


@dataclass(slots=True)
class Fleet:
    """Instances of the daemon by name, at one broker; with `backend` they upload."""

    folder: Path
    port: int
    backend: str | None = None
    more: Callable[[str], str] = lambda _name: ""
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(self, name: str, group: str = "vitals") -> None:
        """Start an instance and wait for its READY."""
        config = self.folder / f"{name}.toml"
        text = _CONFIG.format(name=name, group=group, folder=self.folder, port=self.port) + self.more(name)
        config.write_text(text + (_UPLOAD.format(backend=self.backend) if self.backend else ""), "utf-8")
        key = self.folder / "buffer.key"
        if not key.exists():
            key.write_text(secrets.token_hex(32), "utf-8")
            key.chmod(0o600)
        path = self.folder / f"notify.{secrets.token_hex(4)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as inlet:
            inlet.bind(str(path))
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "gateway", "--config", str(config), "run"),
                    env=os.environ | {"NOTIFY_SOCKET": str(path)},
                    stderr=log,
                )
            while b"READY=1" not in await asyncio.get_running_loop().sock_recv(inlet, 4096):
                pass

    async def end(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """End an instance as a pulled plug does, or politely; its exit code."""
        process = self.running.pop(name)
        process.send_signal(number)
        return await process.wait()

    def signal_all(self, number: signal.Signals) -> None:
        """A signal to every instance."""
        for process in self.running.values():
            process.send_signal(number)

    async def stop(self) -> None:
        """End whatever runs."""
        for name in list(self.running):
            await self.end(name)


@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """The reference backend in a process of its own: its address and its store."""
    store = folder / "backend.db"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uploader.receiver", "--listen", "127.0.0.1:0", "--store", str(store)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        yield (await process.stdout.readline()).decode().strip(), store
    finally:
        process.terminate()
        await process.communicate()


def asked(store: Path, question: str) -> list[tuple[str, ...]]:
    """Rows of the backend's store, read beside it."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        return db.execute(question).fetchall()


async def until(holds: Callable[[], bool]) -> None:
    """Return once it holds; the caller sets the limit."""
    clock = HubClock()
    while not holds():
        await clock.sleep(_LOOK_S)
