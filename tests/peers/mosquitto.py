"""A real mosquitto in a folder of its own, started, stopped and killed as a test needs it."""

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

# Debian puts daemons in /usr/sbin, which is not on everybody's path.
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
_TRIES = 5  # another process may take the port between asking for it and mosquitto's bind


class Mosquitto:
    """
    One broker on loopback; `lines` are added to its configuration.

    Sessions, queues and retained messages survive `stop` and `start`, not `kill`.
    """

    def __init__(self, folder: Path, lines: Sequence[str] = (), *, listener: Sequence[str] = ()) -> None:
        self.port = 0
        self._folder = folder
        self._lines = list(lines)
        self._listener = list(listener)
        self._running: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start, on the port of last time where there was one; returns when it accepts connections."""
        assert PROGRAM, "mosquitto is not installed; `apt install mosquitto mosquitto-clients`"
        for _ in range(_TRIES):
            port = self.port or _free_port()
            if self._begun(PROGRAM, port):
                self.port = port
                return
        raise AssertionError("mosquitto did not start")

    def _begun(self, program: str, port: int) -> bool:
        self._folder.mkdir(exist_ok=True)
        config = self._folder / "mosquitto.conf"
        lines = [
            f"listener {port} 127.0.0.1",
            *self._listener,
            "user root",  # started by root it would become `mosquitto`, who cannot read the test's folder
            "persistence true",
            f"persistence_location {self._folder}/",
            "log_dest stderr",
            *self._lines,
        ]
        config.write_text("\n".join(lines) + "\n")
        running = subprocess.Popen([program, "-v", "-c", str(config)], stderr=subprocess.PIPE, text=True)
        assert running.stderr
        for line in running.stderr:
            if "running" in line:
                # mosquitto stops where nobody reads its log
                self._reader = threading.Thread(target=running.stderr.read, daemon=True)
                self._reader.start()
                self._running = running
                _wait_until_served(port)
                return True
        running.wait()
        running.stderr.close()
        return False

    def stop(self) -> None:
        """End as an operator would: sessions are written to disk."""
        self._end(subprocess.Popen.terminate)

    def kill(self) -> None:
        """End as a power cut would."""
        self._end(subprocess.Popen.kill)

    def _end(self, how: Callable[[subprocess.Popen[str]], None]) -> None:
        running, self._running = self._running, None
        if running is None or self._reader is None or running.stderr is None:
            return
        how(running)
        running.wait()
        self._reader.join()
        running.stderr.close()

    async def publish(
        self, topic: str, *payloads: str | bytes, qos: int = 1, retain: bool = False, more: Sequence[str] = ()
    ) -> None:
        """Publish with mosquitto_pub, in order; returns when the broker has acknowledged all."""
        for payload in payloads:
            publisher = await asyncio.create_subprocess_exec(
                *("mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", str(qos), "-t", topic),
                "-s" if payload else "-n",
                *(["-r"] if retain else []),
                *more,
                stdin=subprocess.PIPE,
            )
            await publisher.communicate(payload.encode() if isinstance(payload, str) else payload)
            assert publisher.returncode == 0

    async def publish_lines(self, topic: str, lines: Sequence[str]) -> None:
        """Publish many short messages over one connection, in order, with QoS 1."""
        publisher = await asyncio.create_subprocess_exec(
            *("mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic, "-l"),
            stdin=subprocess.PIPE,
        )
        await publisher.communicate("".join(f"{line}\n" for line in lines).encode())
        assert publisher.returncode == 0


def _wait_until_served(port: int) -> None:
    """
    Return once mosquitto turned away a packet that is none.

    It says `running` before its loop runs, and a SIGTERM between the two is lost.
    """
    with socket.create_connection(("127.0.0.1", port)) as knock:
        knock.sendall(bytes(8))
        while _still_open(knock):
            pass


def _still_open(knock: socket.socket) -> bool:
    try:
        return bool(knock.recv(64))
    except ConnectionResetError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
