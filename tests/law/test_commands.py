"""Law: every command is documented, answers --help with an example, and every command a sentence names exists."""

import re
import subprocess
import sys

import pytest

from gateway.cli import COMMANDS
from tests.law.source import ROOT, listed, product, where

OPERATIONS = ROOT / "docs" / "operations.md"
# In prose and in errors a command is named in backticks; in an example it begins an indented line.
_NAMED = re.compile(r"(?:`|^    (?:\.venv/bin/)?)vitals-gateway ([a-z]+)", re.MULTILINE)
_DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def test_every_command_has_its_line() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    breaches = [
        name for name in COMMANDS if not re.search(rf"^\|.*`vitals-gateway {name}`.*\|.+\|$", text, re.MULTILINE)
    ]
    assert not breaches, listed(breaches, "These commands have no line in docs/operations.md.")


def test_no_sentence_sends_anyone_to_a_command_that_is_not_there() -> None:
    breaches = [
        f"{where(path)} vitals-gateway {name}"
        for path in (*product(), *_DOCUMENTS)
        for name in _NAMED.findall(path.read_text(encoding="utf-8"))
        if name not in COMMANDS
    ]
    assert not breaches, listed(breaches, "There is no such command.")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches(name: str) -> None:
    command = [sys.executable, "-m", "gateway", name, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    after_usage = done.stdout.partition("usage:")[2].partition("\n")[2]
    assert re.search(rf"vitals-gateway (--config \S+ )?{name}\b", after_usage), "It shows no example."


def test_make_help_lists_every_target() -> None:
    said = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for target in ("venv", "demo", "test", "check", "bench", "test-long", "test-vm", "lock", "clean"):
        assert re.search(rf"^  make {target} ", said, re.MULTILINE), target
