"""How the daemon ends: in time whatever hangs, and with the exit code that names what failed."""

import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from drivers.virtual.cellular import cuff
from tests.gateway.house import House, broker_in, free_port, publish

STOP_S = 5
# A resolver that never answers, which a name server behind a dead link is for half a minute.
HANGING = """
import socket, sys, threading
def hang(*_: object, **__: object) -> None:
    print("asked", flush=True)
    threading.Event().wait()
socket.getaddrinfo = hang
from gateway.cli import main
sys.exit(main(sys.argv[1:]))
"""
CUFF = "AB:CD:EF:12:34:01"
MEASURED = datetime(2026, 3, 3, 13, 0, tzinfo=UTC)


def test_a_name_server_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.configure(free_port(), f"http://127.0.0.1:{free_port()}/")
    path = tmp_path / "gateway.toml"
    path.write_text(path.read_text().replace("mqtt://127.0.0.1", "mqtt://localhost"))
    command = [sys.executable, "-c", HANGING, "--config", str(path), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            assert daemon.stdout.readline() == "asked\n"
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(STOP_S) == 0
        finally:
            daemon.kill()


def test_a_disk_that_fails_ends_it_with_the_code_for_the_store(tmp_path: Path) -> None:
    house = House(tmp_path)
    with broker_in(tmp_path) as broker:
        house.configure(broker.port, f"http://127.0.0.1:{free_port()}/")
        house.start()
        try:
            assert house.daemon is not None
            # what SQLite takes for a failing disk: a write that is refused, and not for want of room
            resource.prlimit(house.daemon.pid, resource.RLIMIT_FSIZE, (65_536, 65_536))
            publish(broker.port, [cuff(CUFF, MEASURED, 100 + n, 80, 61) for n in range(100)])
            assert house.daemon.wait(20) == 74
        finally:
            house.stop(signal.SIGKILL)
    assert "mistake in the program" not in house.log
    assert "The store" in house.log
