"""Law: the documents point to what is there, and what they show works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from config import load
from tests.law.source import ROOT, listed, where

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_link_leads_somewhere() -> None:
    links = [(path, link) for path in DOCUMENTS for link in _LINK.findall(path.read_text(encoding="utf-8"))]
    assert len(links) > 10
    breaches = [f"{where(path)} {link}" for path, link in links if not (path.parent / link).exists()]
    assert not breaches, listed(breaches, "These links lead nowhere.")


def test_every_test_a_document_names_is_there() -> None:
    named = [(path, *name) for path in DOCUMENTS for name in _TEST.findall(path.read_text(encoding="utf-8"))]
    assert len(named) > 5
    breaches = [f"{where(path)} {file}::{test}" for path, file, test in named if not _is_there(ROOT / file, test)]
    assert not breaches, listed(breaches, "These tests are not there.")


def _is_there(file: Path, test: str) -> bool:
    return file.is_file() and (not test or f"def {test}(" in file.read_text(encoding="utf-8"))


def test_the_readmes_configuration_loads() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    made = load.parse(block)
    assert made.upload is not None
    assert [topic.driver for source in made.mqtt for topic in source.topics] == ["stel"]


@pytest.mark.parametrize(
    "line", re.findall(r"^    \.venv/bin/(vitals-gateway .+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
)
def test_the_readmes_commands_work(line: str) -> None:
    _, *words = shlex.split(line)
    command = [str(Path(sys.executable).parent / "vitals-gateway"), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_the_readmes_two_commands_are_the_makefiles() -> None:
    targets = re.findall(r"^    make (\w+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert "make --no-print-directory test" in (ROOT / ".ci" / "run").read_text("utf-8")
