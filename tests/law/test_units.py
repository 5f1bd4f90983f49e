"""Law: systemd accepts the unit and finds little to complain of; it can do what the daemon needs."""

import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from gateway.core.errors import Exit
from tests.law.source import ROOT

SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "vitals-gateway.service"
EXPOSURE_MAX = 15  # tenths, as --threshold counts
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here; apt-get install systemd"
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit with both drop-ins beside it, as on a hub with a radio and serial ports."""
    dropped = tmp_path / "vitals-gateway.service.d"
    dropped.mkdir()
    shutil.copy(SYSTEMD / "ble.conf", dropped)
    shutil.copy(SYSTEMD / "serial.conf", dropped)
    return Path(shutil.copy(UNIT, tmp_path))


def _analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_accepts_the_unit() -> None:
    done = _analyze("verify", "--man=no", str(UNIT))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_systemd_accepts_it_with_the_drop_in(installed: Path) -> None:
    done = _analyze("verify", "--man=no", str(installed))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_little_is_exposed() -> None:
    done = _analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(UNIT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


@needs_systemd
def test_the_sandbox_counts(tmp_path: Path) -> None:
    """The same unit without its sandbox is over the limit: the measure measures."""
    bare = tmp_path / UNIT.name
    bare.write_text("[Service]\nExecStart=/usr/bin/env true\n", encoding="utf-8")
    assert (
        _analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(bare)).returncode != 0
    )


def _options(path: Path) -> dict[str, list[str]]:
    """Every option of [Service] with all its values; systemd repeats keys, configparser does not."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_the_unit_keeps_the_daemons_promises() -> None:
    options = _options(UNIT)
    assert options["Type"] == ["notify"]
    assert options["NotifyAccess"] == ["main"]
    assert options["Restart"] == ["on-failure"]
    assert options["RestartPreventExitStatus"] == [str(int(Exit.CONFIG))]
    assert int(options["WatchdogSec"][0]) > 0
    assert options["StateDirectory"] == ["vitals-gateway"]
    assert {line.split(":")[0] for line in options["LoadCredential"]} == {"buffer.key", "upload.token"}


def test_the_unit_lets_the_daemon_ask_whether_the_clock_is_synchronised() -> None:
    """gateway.clock asks adjtimex and reads boot_id: a stricter sandbox would make every time untrusted."""
    options = _options(UNIT)
    assert "adjtimex clock_adjtime" in options["SystemCallFilter"]
    assert "ProtectClock" not in options
    assert options.get("ProcSubset", ["all"]) == ["all"]


def test_the_user_of_the_unit_is_the_one_that_is_made() -> None:
    lines = (SYSTEMD / "vitals-gateway.sysusers").read_text(encoding="utf-8").splitlines()
    (user,) = [line.split()[1] for line in lines if not line.startswith("#")]
    assert _options(UNIT)["User"] == [user]


def test_the_drop_in_is_a_unit_file() -> None:
    read = RawConfigParser(strict=True)
    read.read(SYSTEMD / "ble.conf")
    assert read.sections() == ["Unit", "Service"]


def test_the_serial_drop_in_opens_serial_ports_and_nothing_else() -> None:
    options = _options(SYSTEMD / "serial.conf")
    assert options["DeviceAllow"] == ["char-ttyUSB rw", "char-ttyACM rw"]
    assert "DevicePolicy" not in options
    assert _options(UNIT)["DevicePolicy"] == ["closed"]
