"""Law: format, lint, types and floors hold, as `make check` says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.law.source import ROOT

BIN = Path(sys.executable).parent
# A cold cache on a Raspberry Pi takes minutes.
pytestmark = pytest.mark.timeout(900)


def _said(*command: str) -> tuple[int, str]:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_format_is_ruffs() -> None:
    code, said = _said("ruff", "format", "--check", ".")
    assert code == 0, said


def test_lint_is_clean() -> None:
    code, said = _said("ruff", "check", "--output-format", "concise", ".")
    assert code == 0, said


def test_types_hold_strictly() -> None:
    code, said = _said("mypy")
    assert code == 0, said
    assert "no issues found" in said, said


def test_floors_hold() -> None:
    code, said = _said("lint-imports", "--no-cache")
    assert code == 0, said
    assert "0 broken" in said, said
