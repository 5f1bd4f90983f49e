"""Law: names are the field's words."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.law.source import listed, product, tree, where

BANNED = frozenset({"manager", "handler", "helper", "util", "utils", "process", "processes", "data", "info", "infos"})
BANNED_PREFIXES = ("async_", "do_")
# name -> why it may stand: a framework or a format chose it
FORCED: dict[str, str] = {
    "DATA": "sysexits.h calls it EX_DATAERR",
    "data_received": "asyncio.Protocol calls it by this name",
    "do_GET": "http.server calls it by this name",
    "do_POST": "http.server calls it by this name",
}
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    return [piece.lower() for piece in _PIECE.findall(name)]


def is_banned(name: str) -> bool:
    """Whether a name holds a banned word or begins with a banned prefix."""
    if name in FORCED:
        return False
    return bool(BANNED & set(words(name))) or name.lstrip("_").startswith(BANNED_PREFIXES)


def given_names(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name the module itself gives: functions, classes, arguments, variables, attributes, import aliases."""
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str() as name):
                yield getattr(node, "lineno", 0), name
            case ast.ExceptHandler(name=str() as name):
                yield node.lineno, name
            case _:
                pass


@pytest.mark.parametrize(
    "name", ["BatchManager", "frame_data", "process", "deviceInfo", "async_send", "_do_it", "HTTPHandler", "utils"]
)
def test_banned_words_are_found(name: str) -> None:
    assert is_banned(name)


@pytest.mark.parametrize("name", ["dataclass", "metadata", "database", "processed", "inform", "donor", "asynchronous"])
def test_longer_words_that_hold_one_are_not(name: str) -> None:
    assert not is_banned(name)


def test_names_are_the_fields_words() -> None:
    breaches = [
        f"{where(path, line)} {name}" for path in product() for line, name in given_names(tree(path)) if is_banned(name)
    ]
    breaches += [where(path) for path in product() if is_banned(path.stem)]
    assert not breaches, listed(breaches, "These names say nothing; use the field's word.")
