"""`assess` as a person or a program calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from tests.core.bundles import at, bundle, daily, reading, readings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A bundle on disk: 16 dates, 12 of them sent in one batch, one typed value."""
    batch = at("2026-03-20 12:00").isoformat()
    items = [
        *readings(daily("2026-03-03", 12), received_at=batch, acked_at=batch),
        *readings(daily("2026-03-21", 4)),
        reading(at("2026-03-05 17:00"), capture="manual_patient"),
    ]
    path = tmp_path / "march.json"
    path.write_text(json.dumps(bundle(items)))
    return path


def test_json_is_one_document_and_nothing_else(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assess", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "period": {"number": 1, "start": "2026-03-02", "end": "2026-03-31"},
        "automatic": 16,
        "days": {"measured": 16, "claimable": 16, "received": 5},
        "candidate": "99454",
        "conservative": "99445",
        "status": "REVIEW",
        "reasons": ["batch upload"],
        "setup_99453": True,
        "rejected": ["Q01 not automatic"],
    }


def test_the_page_says_what_a_biller_asks(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assess", str(file)]) == 0
    page = capsys.readouterr().out
    for words in (
        "2026-03-02 to 2026-03-31",
        "99454",
        "REVIEW: the period is closed",
        "batch upload",
        "1  Q01 not automatic",
    ):
        assert words in page


@pytest.mark.parametrize(("count", "words"), [(1, "Every reading qualifies."), (0, "Setup 99453     no")])
def test_the_page_without_rejections(
    tmp_path: Path, count: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "few.json"
    path.write_text(json.dumps(bundle(readings(daily("2026-03-03", count)))))
    assert main(["assess", str(path)]) == 0
    page = capsys.readouterr().out
    assert words in page
    assert "do not qualify" not in page


def test_a_bundle_may_come_on_standard_input(file: Path) -> None:
    command = [sys.executable, "-m", "gateway", "assess", "-", "--json"]
    done = subprocess.run(command, input=file.read_bytes(), capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout)["automatic"] == 16


def test_nothing_of_the_network_or_the_store_is_imported() -> None:
    heavy = "{'httpx', 'paho', 'sqlcipher3', 'structlog', 'sqlite_utils', 'asyncio'}"
    text = f"import sys, gateway.cli.assess; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, timeout=60)
    assert done.stdout.strip() == b"[]"


def test_a_bundle_with_mistakes_is_refused_with_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(bundle([], timezone="Mars/Olympus", period=0)))
    assert main(["assess", str(path)]) == 65
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 2


@pytest.mark.parametrize("name", ["none.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_not_there(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assess", str(tmp_path / name) if "\0" not in name else name]) == 69
    assert "cannot be read; check its path" in capsys.readouterr().err


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as large:
        large.truncate(64 * 1024 * 1024 + 1)
    assert main(["assess", str(path)]) == 65
    assert "larger than 64 MiB" in capsys.readouterr().err
