"""Law: what may stand nowhere in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.law.source import ROOT, listed, texts, where

# This file alone holds what it looks for, and is not looked at.
LAWS = {
    "an unfinished thought": re.compile(r"TODO\b|FIXME\b|\bXXX\b"),
    "a path of somebody's machine": re.compile(
        r"(?<![\w.])/(?:work|root|Users)/|/home/(?![$<])\w|/opt/(?:pypi|wheels)"
    ),
    "the host of a package registry": re.compile(
        r"pythonhosted\.|pypi\.org|piwheels\.|npmjs\.|crates\.io|^ *--(?:extra-)?index-url"
    ),
    "a key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}|\bxox[bp]-\w+"),
}
_BINARY = {".png", ".jpg", ".ico", ".db", ".gz", ".woff2", ".pdf"}


def breaches(text: str) -> Iterator[tuple[int, str]]:
    """Every line that holds what may stand nowhere."""
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in LAWS.items():
            if pattern.search(line):
                yield number, what


@pytest.mark.parametrize(
    "line",
    [
        "# TODO later",
        "see /work/shared",
        "cd /home/ann/src",
        "--index-url = https://x",
        "https://files.pythonhosted.org/",
        "-----BEGIN EC PRIVATE KEY-----",
    ],
)
def test_each_is_found(line: str) -> None:
    assert list(breaches(line))


def test_none_stands_in_the_repository() -> None:
    files = [path for path in texts() if path.suffix not in _BINARY and path != Path(__file__)]
    assert ROOT / "Makefile" in files
    assert ROOT / ".ci" / "run" in files
    found = [
        f"{where(path, line)} {what}"
        for path in files
        for line, what in breaches(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found, listed(found, "These lines may not stand in the repository.")
