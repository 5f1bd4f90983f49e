"""Law: tests prove something: no mocks, no sleeping, no silent skip."""

import ast
from collections.abc import Iterator

import pytest

from tests.law.source import dotted, listed, tree, trials, where


def faults(module: ast.Module) -> Iterator[tuple[int, str]]:
    """What a test may not do."""
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names) if any(name.name.startswith(("unittest", "mock")) for name in names):
                yield node.lineno, "imports unittest or mock: what needs a mock needs a parameter"
            case ast.ImportFrom(module=str() as name) if name.split(".")[0] in ("unittest", "mock"):
                yield node.lineno, "imports unittest or mock: what needs a mock needs a parameter"
            case ast.arg(arg="mocker"):
                yield node.lineno, "asks for a mocker: what needs a mock needs a parameter"
            case ast.Call(func=called) if dotted(called).endswith("monkeypatch.setattr"):
                yield node.lineno, "patches an attribute: what needs a patch needs a parameter"
            case ast.Call(func=called) if _sleeps(node, dotted(called)):
                yield node.lineno, "sleeps: wait for the event, or jump a FakeClock"
            case ast.Call(func=called) if dotted(called) in ("pytest.skip", "pytest.mark.skip") and not _has_words(
                node
            ):
                yield node.lineno, "skips without a reason"
            case ast.Attribute() if dotted(node) == "pytest.mark.xfail":
                yield node.lineno, "expects to fail: mend it or leave it out"
            case _:
                pass


def _sleeps(call: ast.Call, name: str) -> bool:
    if name in ("time.sleep", "sleep"):
        return True
    yields_only = len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    return name in ("asyncio.sleep", "anyio.sleep") and not yields_only


def _has_words(call: ast.Call) -> bool:
    return bool(call.args or any(keyword.arg == "reason" for keyword in call.keywords))


@pytest.mark.parametrize(
    "text",
    [
        "from unittest import mock",
        "import unittest.mock",
        "def test(mocker): ...",
        "monkeypatch.setattr(a, 'b', 1)",
        "time.sleep(1)",
        "asyncio.sleep(0.1)",
        "pytest.skip()",
        "@pytest.mark.xfail\ndef test(): ...",
    ],
)
def test_a_fault_is_found(text: str) -> None:
    assert list(faults(ast.parse(text)))


@pytest.mark.parametrize("text", ["asyncio.sleep(0)", "pytest.skip('no radio here')", "await clock.sleep(1)"])
def test_what_is_fine_is_no_fault(text: str) -> None:
    assert not list(faults(ast.parse(text)))


def test_tests_prove_something() -> None:
    files = [path for path in trials() if where(path).startswith("tests/")]
    assert len(files) > 10
    breaches = [f"{where(path, line)} {what}" for path in files for line, what in faults(tree(path))]
    assert not breaches, listed(breaches, "Tests neither mock nor sleep, and say why they skip.")


def looking(modules: list[ast.Module]) -> set[str]:
    """The names of functions that assert, expect an error, or call one that does."""
    bodies = {node.name: node for module in modules for node in ast.walk(module) if isinstance(node, _FUNCTION)}
    found = {name for name, body in bodies.items() if _asserts(body)}
    while more := {name for name, body in bodies.items() if name not in found and _calls(body) & found}:
        found |= more
    return found


_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_CHECKS = frozenset({"raises", "fail", "call_and_validate", "run_state_machine_as_test"})


def _asserts(body: ast.AST) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(body)) or bool(_calls(body) & _CHECKS)


def _calls(body: ast.AST) -> set[str]:
    """Every function a body calls, or hands over to be called."""
    nodes = list(ast.walk(body))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)} | {
        node.id for node in nodes if isinstance(node, ast.Name)
    }


def test_looking_follows_calls() -> None:
    text = "def a(): assert b\ndef c(): d(a)\ndef e(): f()"
    assert looking([ast.parse(text)]) == {"a", "c"}


def test_every_test_asserts() -> None:
    trees = {path: tree(path) for path in trials()}
    found = looking(list(trees.values()))
    breaches = [
        f"{where(path, node.lineno)} {node.name}"
        for path, module in trees.items()
        for node in ast.walk(module)
        if path.name.startswith("test_") and isinstance(node, _FUNCTION)
        if node.name.startswith("test_") and node.name not in found
    ]
    assert not breaches, listed(breaches, "A test that asserts nothing proves nothing.")
