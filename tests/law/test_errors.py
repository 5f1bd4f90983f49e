"""Law: every error the gateway raises on purpose stands in the tree of gateway/core/errors.py, where it belongs."""

import ast
import inspect
import re
from collections.abc import Iterator

from gateway.core import errors
from tests.law.source import dotted, listed, product, tree, where

_LINE = re.compile(r"^    ((?:\|   |    )*)(?:\|--|`--) (\w+)(?: +(SKIP|RETRY|HOLD|STOP)\b)?")
# place and name -> why it needs no remedy
PRIVATE: dict[str, str] = {
    "buffer/recovery.py Damage": "never leaves buffer: there it becomes a quarantine and a new store",
}
_BUILT_IN = frozenset({"Exception", "BaseException", "RuntimeError", "ValueError", "OSError", "KeyError", "TypeError"})


def drawn() -> Iterator[tuple[str, str, str | None]]:
    """Each error in the docstring's tree, its parent, and the remedy written beside it."""
    above = ["GatewayError"]
    for line in (errors.__doc__ or "").splitlines():
        if found := _LINE.match(f"    {line}" if not line.startswith("    ") else line):
            depth = len(found[1]) // 4
            above = [*above[: depth + 1], found[2]]
            yield found[2], above[depth], found[3]


def _classes() -> dict[str, type[errors.GatewayError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return {
        name: kind
        for name, kind in members
        if issubclass(kind, errors.GatewayError) and kind is not errors.GatewayError
    }


def test_the_tree_is_the_classes() -> None:
    tree_of = {name: parent for name, parent, _ in drawn()}
    assert tree_of == {name: kind.__bases__[0].__name__ for name, kind in _classes().items()}


def test_the_remedies_are_the_classes_own() -> None:
    for name, _, remedy in drawn():
        assert remedy is None or _classes()[name].remedy.name == remedy, name


def test_no_error_is_made_elsewhere() -> None:
    known = {*_classes(), "GatewayError", *_BUILT_IN}
    found = [
        f"{where(path)} {node.name}"
        for path in product()
        if where(path) != "gateway/core/errors.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and any(dotted(base).rsplit(".", 1)[-1] in known for base in node.bases)
    ]
    assert set(PRIVATE) <= set(found), "An exception that was private is gone; take it off the list."
    breaches = [place for place in found if place not in PRIVATE]
    assert not breaches, listed(breaches, "An error belongs in gateway/core/errors.py, with its remedy.")
