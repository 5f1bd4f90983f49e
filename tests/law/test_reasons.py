"""Law: every exception from a rule carries its reason."""

import ast
import re
import tomllib

import pytest

from tests.law.source import ROOT, comments, listed, product, tree, trials, where

_DIRECTIVE = re.compile(
    r"noqa(:\s*[A-Z]+\d+(\s*,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[\w, -]+\])?|pragma:\s*no\s+(cover|branch)"
)
_BARE = re.compile(r"#\s*(noqa(?!:)|type:\s*ignore(?!\[)|ruff:\s*noqa|mypy:\s*ignore-errors)")
# place -> what a broad except does with what it catches. It may forward or keep, never
# swallow; one that ends in `raise` needs no line.
BROAD: dict[str, str] = {
    "buffer/writer.py": "hands it to every waiter, and judges whether the store can go on",
    "drivers/transports/mqtt_connection.py": "forwards it from paho's thread to the task that listens",
    "drivers/transports/webhook_basket.py": "hands it to every caller whose request went with the group",
    "drivers/transports/webhook.py": "shows it in status; the caller's connection ends without the 200 it asked for",
    "drivers/transports/serial_inlet.py": "forwards it from the loop's callback to the task that keeps",
    "drivers/transports/serial_session.py": "hands the frame on, so that intake keeps it with the driver's fault",
    "gateway/intake.py": "keeps the frame as refused: a driver's bug costs neither the hub nor the frame",
    "gateway/cli/__init__.py": "the last resort: a person gets a sentence and exit 70, never a traceback",
    "gateway/cli/run.py": "hands the error of a lookup to whoever waits for it, as a pool of threads does",
}


def is_without_reason(comment: str) -> bool:
    """Whether a comment switches a rule off without saying why."""
    if not _DIRECTIVE.search(comment):
        return False
    return bool(_BARE.search(comment)) or not re.search(r"\w{2,}", _DIRECTIVE.sub("", comment))


@pytest.mark.parametrize(
    ("comment", "breaks"),
    [
        ("# noqa: BLE001", True),
        ("# noqa -- all of it", True),
        ("# type: ignore[arg-type]", True),
        ("# type: ignore -- because it is so", True),
        ("# noqa: BLE001 -- handed to every waiter", False),
        ("# type: ignore[arg-type] # noqa: DTZ001 -- a device's clock has no zone", False),
        ("# an ordinary comment", False),
    ],
)
def test_a_reason_is_told_from_none(comment: str, breaks: bool) -> None:
    assert is_without_reason(comment) is breaks


def test_every_ignore_has_its_reason() -> None:
    breaches = [
        f"{where(path, line)} {comment}"
        for path in (*product(), *trials())
        for line, comment in comments(path.read_text(encoding="utf-8"))
        if is_without_reason(comment)
    ]
    law = "A rule is switched off here without a reason; say it after, as in `noqa: BLE001 -- handed to every waiter`."
    assert not breaches, listed(breaches, law)


def test_every_ignored_lint_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    start = text.index("\nignore = [")
    block = text[start : text.index("\n]", start)].splitlines()[2:]
    breaches = [line for line in block if "#" not in line]
    assert len(block) <= len(ignored), "An ignored rule stands outside the list."
    assert not breaches, listed(breaches, "These rules are ignored without a reason.")


def test_docstrings_are_not_excused() -> None:
    """Public things have docstrings because ruff's D1 rules are on for the product."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    product_files = {
        name: rules for name, rules in lint["per-file-ignores"].items() if not name.startswith(("tests", "bench"))
    }
    off = [rule for rules in ({"": lint["ignore"]} | product_files).values() for rule in rules]
    assert "ALL" in lint["select"]
    assert {rule for rule in off if rule in ("D", "D1") or re.fullmatch(r"D1\d\d", rule)} <= {"D105", "D107"}


def test_broad_excepts_are_the_known_ones() -> None:
    found = {
        where(path)
        for path in product()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not isinstance(node.body[-1], ast.Raise)
    }
    breaches = [f"{place}: new" for place in sorted(found - set(BROAD))]
    breaches += [f"{place}: gone, take it off the list" for place in sorted(set(BROAD) - found)]
    assert not breaches, listed(breaches, "A broad except needs a line here with what it does with what it catches.")


def _is_broad(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in ("Exception", "BaseException")) for name in names
    )
