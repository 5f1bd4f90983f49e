"""Law: one module asks the machine for the time; everything else is given a Clock."""

import ast
from collections.abc import Iterator

import pytest

from tests.law.source import dotted, listed, product, tree, where

CLOCK = "gateway/clock.py"
# place -> why it may look at a clock of its own
FORCED = {"uploader/receiver/__main__.py": "another machine's process, on a floor below the hub's clock"}
_ASKS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "asyncio.sleep"})


def clock_uses(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Every import of `time` and every call that asks the machine for the time or waits."""
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names) if any(name.name == "time" for name in names):
                yield node.lineno, "import time"
            case ast.ImportFrom(module="time"):
                yield node.lineno, "from time import"
            case ast.Call(func=called) if any(f".{dotted(called)}".endswith(f".{name}") for name in _ASKS):
                yield node.lineno, dotted(called)
            case ast.Call(func=ast.Attribute(attr="time", value=ast.Call())):
                yield node.lineno, "loop.time"
            case _:
                pass


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "from time import monotonic",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "import asyncio\nasyncio.sleep(1)",
        "import asyncio\nasyncio.get_running_loop().time()",
    ],
)
def test_asking_is_found(text: str) -> None:
    assert list(clock_uses(ast.parse(text)))


def test_only_the_clock_asks_for_the_time() -> None:
    breaches = [
        f"{where(path, line)} {what}"
        for path in product()
        if where(path) not in (CLOCK, *FORCED)
        for line, what in clock_uses(tree(path))
    ]
    assert not breaches, listed(breaches, "Take a Clock (gateway.core.time) instead of asking the machine.")


def test_the_clock_itself_is_seen() -> None:
    (clock,) = (path for path in product() if where(path) == CLOCK)
    assert list(clock_uses(tree(clock)))


def test_no_exception_is_stale() -> None:
    used = {where(path) for path in product() if any(clock_uses(tree(path)))}
    assert set(FORCED) <= used
