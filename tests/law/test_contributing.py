"""Law: the driver that CONTRIBUTING.md shows is one: it passes the vectors shown beside it, and its own lint."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from drivers.contract import Driver
from gateway.core import errors
from gateway.core.observation import Measured
from gateway.core.reading import Frame
from tests.law.source import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def shown(language: str) -> str:
    """The one code block of a language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return str(block)


def driver() -> Driver:
    """The driver shown."""
    module: dict[str, Any] = {"__name__": "example_oximeter"}
    exec(compile(shown("python"), "CONTRIBUTING.md", "exec"), module)  # noqa: S102 -- our own document is what is tested
    made = module["DRIVER"]
    assert isinstance(made, Driver)
    return made


def vectors() -> list[dict[str, Any]]:
    """The vectors shown."""
    document = tomllib.loads(shown("toml"))
    assert document["driver"] == driver().name
    return list(document["vector"])


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: str(vector["id"]))
def test_the_driver_shown_reads_the_vectors_shown(vector: dict[str, Any]) -> None:
    frame = Frame(bytes.fromhex(vector["frame"]))
    if "raises" in vector:
        with pytest.raises(getattr(errors, vector["raises"])):
            driver().decode(frame)
        return
    samples = driver().decode(frame)
    assert len(samples) == len(vector["samples"])
    for sample, wanted in zip(samples, vector["samples"], strict=True):
        seen = {one.kind.code: one for one in sample.observations}
        measured = {code: f"{one.text} {one.unit}" for code, one in seen.items() if isinstance(one, Measured)}
        absent = {code: one.why.value for code, one in seen.items() if not isinstance(one, Measured)}
        assert measured == wanted.get("measured", {})
        assert absent == wanted.get("absent", {})


def test_both_kinds_of_vector_are_shown() -> None:
    assert {"raises" in vector for vector in vectors()} == {True, False}


def test_the_driver_shown_passes_the_checks(tmp_path: Path) -> None:
    """As a device file would: under the project's own configuration."""
    place = tmp_path / "example_oximeter.py"
    place.write_text(shown("python"), encoding="utf-8")
    tools = Path(sys.executable).parent
    config = str(ROOT / "pyproject.toml")
    ruff = [str(tools / "ruff"), "check", "--no-cache", "--config", config, "--ignore", "INP001", str(place)]
    form = [str(tools / "ruff"), "format", "--no-cache", "--config", config, "--diff", str(place)]
    mypy = [str(tools / "mypy"), "--config-file", config, "--cache-dir", str(tmp_path / "cache"), str(place)]
    for command in (ruff, form, mypy):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
