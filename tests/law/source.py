"""The project's own source, read once: what the laws look at."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("gateway", "drivers", "buffer", "uploader", "config")
_NOT_OURS = {"__pycache__", "node_modules", "build", "dist"}


@cache
def product() -> tuple[Path, ...]:
    """Every module of the product."""
    return tuple(path for package in PRODUCT for path in _modules(ROOT / package))


@cache
def trials() -> tuple[Path, ...]:
    """Every module of the tests and the bench, which are held to the same size and reasons."""
    return tuple(path for folder in ("tests", "bench") for path in _modules(ROOT / folder))


def texts() -> Iterator[Path]:
    """Every text file a reader of the repository sees."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") for part in parts if part not in (".ci", ".gitignore"))
        if path.is_file() and not hidden and not _NOT_OURS & set(parts) and not parts[0].endswith(".egg-info"):
            yield path


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Every comment and its line."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an expression that is only names; else empty."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def where(path: Path, line: int | None = None) -> str:
    """A place in the form editors open."""
    name = path.relative_to(ROOT).as_posix()
    return name if line is None else f"{name}:{line}"


def listed(breaches: list[str], law: str) -> str:
    """What a failing law prints: the law, then every place that breaks it."""
    return "\n  ".join([law, *breaches])


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if not _NOT_OURS & set(path.parts))
