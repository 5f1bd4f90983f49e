"""The daemon as a technician meets it: real broker, real backend, real commands."""

import json
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.virtual.cellular import Message, cuff, scale
from tests.gateway.house import COMMAND, House, backend_in, broker_in, free_port, publish

CUFF, SCALE = "AB:CD:EF:12:34:01", "356789000000001"
MEASURED = datetime(2026, 3, 3, 13, 0, tzinfo=UTC)


class Running(House):
    """A whole house with the daemon up."""

    port = 0

    def publish(self, *messages: Message) -> None:
        publish(self.port, messages)

    def accepted(self) -> list[dict[str, Any]]:
        with sqlite3.connect(f"file:{self.folder / 'backend.db'}?mode=ro", uri=True) as db:
            return [json.loads(row[0]) for row in db.execute("SELECT body FROM record ORDER BY seq")]

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status for which `holds`; each look is a command of its own."""
        for _ in range(60):
            status: dict[str, Any] = self.ask("status")
            if holds(status):
                return status
        raise AssertionError(status)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    with broker_in(tmp_path) as broker, backend_in(tmp_path) as backend:
        made.port = broker.port
        made.configure(broker.port, backend)
        made.start()
        yield made
        made.stop(signal.SIGKILL)


def is_drained(count: int) -> Callable[[dict[str, Any]], bool]:
    def holds(status: dict[str, Any]) -> bool:
        records = status["buffer"]["records"]
        return bool(records["accepted"] >= count and not records["waiting"] and not records["batched"])

    return holds


def test_the_day_of_a_technician(house: Running) -> None:
    house.publish(cuff(CUFF, MEASURED, 128, 80, 64), scale(SCALE, MEASURED, 70_000), Message("stel/x", b"{"))
    status = house.until(is_drained(3))
    assert status["running"]
    assert [link["up"] for link in status["links"]] == [True, True]
    assert set(status["devices"]) == {f"stel:{CUFF}", f"bodytrace:{SCALE}"}
    assert status["counts"] == {"readings": 2, "refused_frames": 1}

    house.ask("enrol", "pt-1")
    house.ask("assign", f"stel:{CUFF}", "pt-1", "--status", "device_201h", "--source", "a test's word")
    later = datetime.now(UTC)
    house.publish(cuff(CUFF, later, 121, 79, 60))
    house.ask("enter", "pt-1", "weight=70.5kg", "--by", "patient")
    (house.folder / "capture.jsonl").write_text(
        json.dumps({"driver": "stel", "text": cuff(CUFF, MEASURED, 99, 60, 50).payload.decode()}) + "\n"
    )
    assert house.ask("replay", str(house.folder / "capture.jsonl"))["kept"] == 1
    house.until(is_drained(9))
    readings = [record for record in house.accepted() if record["type"] == "reading"]
    captures = [(reading["capture"], reading["patient"], reading["qualifies"]["day"]) for reading in readings]
    assert captures == [
        ("device", None, False),
        ("device", None, False),
        ("device", "pt-1", True),
        ("manual_patient", "pt-1", False),
        ("synthetic", None, False),
    ]
    house.ask("unassign", f"stel:{CUFF}")
    assert house.type("unassign", f"stel:{CUFF}").returncode == 65
    assert "s3cret" not in house.log
    for word in ("128", "pt-1", CUFF, "Traceback"):
        assert word not in house.log.replace('"count": 128', "")


def test_metrics_name_what_the_contract_names(house: Running) -> None:
    house.publish(cuff(CUFF, MEASURED, 128, 80, 64), Message("stel/x", b"nonsense"))
    house.until(is_drained(2))
    with urllib.request.urlopen(f"http://127.0.0.1:{house.metrics_port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert 'vitals_readings_total{driver="stel",transport="mqtt"} 1' in text
    assert 'vitals_frames_refused_total{driver="stel",reason="UnknownLayout"} 1' in text
    assert 'vitals_buffer_records{state="accepted"} 2' in text
    for name in (
        "vitals_buffer_bytes ",
        "vitals_oldest_unsent_seconds 0",
        'vitals_upload_attempts_total{outcome="settled"}',
        'vitals_source_up{source="cell"} 1',
        "vitals_clock_synchronised ",
        "vitals_bytes_written_total ",
    ):
        assert name in text


def test_sigterm_ends_it_within_five_seconds(house: Running) -> None:
    began = datetime.now(UTC)
    assert house.stop() == 0
    assert (datetime.now(UTC) - began).total_seconds() < 5


def test_a_second_daemon_is_told_plainly(house: Running) -> None:
    done = house.type("run")
    assert done.returncode == 69
    assert "Another gateway has this store open" in done.stderr


def test_the_watchdog_is_fed_by_proof_of_life(house: Running) -> None:
    house.stop()
    house.start(WATCHDOG_USEC="400000")
    assert "Everything is connected" in house.notified_with("WATCHDOG=1") or house.notified_with("WATCHDOG=1")


def test_a_hub_that_boots_without_network_is_ready_and_says_what_is_not_there(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.configure(free_port(), f"http://127.0.0.1:{free_port()}/")
    try:
        house.start()
        (link, _) = house.ask("status")["links"]
        assert not link["up"]
        assert "broker" in link["why"]
        assert house.type("doctor").returncode == 69
    finally:
        house.stop(signal.SIGKILL)


def test_a_wrong_key_says_what_to_do(house: Running) -> None:
    house.stop()
    (house.folder / "buffer.key").write_text("ab" * 32)
    done = house.type("run")
    assert done.returncode == 74
    assert "key does not open this store" in done.stderr
    assert "Traceback" not in done.stderr


def test_commands_work_on_the_store_while_no_daemon_runs(house: Running) -> None:
    house.publish(cuff(CUFF, MEASURED, 128, 80, 64))
    house.until(is_drained(1))
    house.stop()
    status = house.ask("status")
    assert not status["running"]
    assert status["buffer"]["records"]["accepted"] == 1
    assert house.ask("queue")["queue"] == []
    assert house.type("queue", "show", "nothing").returncode == 65


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status", "--config", "/no/such.toml"], 78),
        (["decode", "--driver", "no-such"], 2),
        (["decode", "--driver", "ble-pulse-oximeter", "--hex", "00"], 2),
        (["decode", "--driver", "stel", "--file", "/no/such"], 69),
        (["queue", "show"], 2),
        (["nonsense"], 2),
        ([], 2),
        (["demo", "--days", "0"], 2),
        (["assess", "/no/such"], 69),
    ],
)
def test_a_mistake_is_one_sentence_and_the_right_code(words: list[str], code: int) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_the_demo_checks_itself() -> None:
    done = subprocess.run([*COMMAND, "demo", "--days", "3", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["holds"]
    assert all(check["holds"] for check in told["checks"])
    assert len(done.stderr.splitlines()) > 5  # it says what it does while it does it


def test_a_driver_catalogue_names_every_file() -> None:
    done = subprocess.run([*COMMAND, "drivers", "--json"], capture_output=True, text=True, check=True)
    found = {driver["name"] for driver in json.loads(done.stdout)["drivers"]}
    files = {path.stem.replace("_", "-") for path in Path("drivers/devices").glob("[a-z]*.py")}
    assert found == files
