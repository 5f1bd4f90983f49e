"""
The demo's town on loopback: a broker, the reference backend and the daemon, each a process of its own.

The broker is nats-server, which speaks MQTT 3.1.1 and keeps a session's messages while its client is away: a real
broker from a wheel, with nothing to install.
"""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.core.errors import NotThere
from gateway.core.time import Clock

_START_S = 30.0  # a Raspberry Pi takes some seconds to start Python
_BROKER = """
listen: "127.0.0.1:{nats}"
server_name: demo
jetstream {{ store_dir: "{folder}/broker" }}
mqtt {{ listen: "127.0.0.1:{mqtt}", ack_wait: "1s", max_ack_pending: 200 }}
"""
_CONFIG = """
[hub]
id = "hub-demo"
site = "home"
timezone = "America/New_York"
[buffer]
path = "{folder}/buffer.db"
size_max_mb = 64
retain_days = 90
key = "file:{folder}/buffer.key"
[upload]
url = "http://127.0.0.1:{backend}/api/v1/readings/batches/"
batch_wait_s = 0.1
timeout_s = 3
[upload.auth]
kind = "bearer"
token = "file:{folder}/token"
[[mqtt]]
name = "cellular"
url = "mqtt://127.0.0.1:{mqtt}"
version = 3
client_id = "hub-demo"
topics = [
    {{ filter = "stel/#", driver = "stel" }},
    {{ filter = "telli/#", driver = "telli" }},
    {{ filter = "bodytrace/#", driver = "bodytrace" }},
]
"""


@dataclass(slots=True)
class Town:
    """Where everything is, and the processes that run."""

    folder: Path
    clock: Clock
    mqtt_port: int
    backend_port: int
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.folder / "gateway.toml"

    @property
    def backend_url(self) -> str:
        """Where the reference backend shows its pages, with the password of this one demo in it."""
        token = (self.folder / "token").read_text("utf-8")
        return f"http://demo:{token}@127.0.0.1:{self.backend_port}/"

    async def start_broker(self) -> None:
        """Start the broker and wait until it listens."""
        program = Path(sys.executable).with_name("nats-server")
        if not program.exists():
            raise NotThere("The demo's broker is not installed; run `make demo`, or install vitals-gateway[demo].")
        await self._start("broker", str(program), "-c", str(self.folder / "broker.conf"))
        await _listening(self.mqtt_port, self.clock)

    async def start_backend(self) -> None:
        """Start the reference backend and wait until it listens."""
        store, token = str(self.folder / "backend.db"), f"file:{self.folder / 'token'}"
        listen = f"127.0.0.1:{self.backend_port}"
        await self._start(
            "backend", sys.executable, "-m", "uploader.receiver", "--listen", listen, "--store", store, "--token", token
        )
        await _listening(self.backend_port, self.clock)

    async def start_daemon(self) -> None:
        """Start the daemon and wait for its READY, as systemd would."""
        path = self.folder / f"notify.{secrets.token_hex(4)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as inlet:
            inlet.bind(str(path))
            told = os.environ | {"NOTIFY_SOCKET": str(path)}
            await self._start("daemon", sys.executable, "-m", "gateway", "--config", str(self.config), "run", env=told)
            async with asyncio.timeout(_START_S):
                while b"READY=1" not in await asyncio.get_running_loop().sock_recv(inlet, 4096):
                    pass

    async def stop(self, name: str, *, kill: bool = False) -> None:
        """End a process: politely, or as a pulled plug does."""
        started = self.running.pop(name, None)
        if started is None:
            return
        with suppress(ProcessLookupError):
            started.kill() if kill else started.terminate()
        await started.wait()

    async def _start(self, name: str, *command: str, env: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )


@asynccontextmanager
async def founded(folder: Path, clock: Clock) -> AsyncIterator[Town]:
    """A town in an empty folder; at the end every process of it has ended."""
    nats, mqtt, backend = _free_ports(3)
    town = Town(folder, clock, mqtt, backend)
    _write(folder / "broker.conf", _BROKER.format(folder=folder, nats=nats, mqtt=mqtt))
    _write(folder / "token", secrets.token_urlsafe(24))
    _write(folder / "buffer.key", secrets.token_hex(32))
    _write(town.config, _CONFIG.format(folder=folder, mqtt=mqtt, backend=backend))
    try:
        yield town
    finally:
        for name in ("daemon", "backend", "broker"):
            await town.stop(name)


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o600)


def _free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


async def _listening(port: int, clock: Clock) -> None:
    """Return once something accepts connections there."""
    async with asyncio.timeout(_START_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await clock.sleep(0.05)
            else:
                writer.close()
                return
