"""Law: functions and modules stay small enough to be read in one go."""

import ast

from tests.law.source import functions, listed, product, tree, trials, where

BODY_LINES_MOST = 20
BODY_LINES_MAX = 50
SHARE_WITHIN_MOST = 0.9
MODULE_LINES_MAX = 400
TEST_MODULE_LINES_MAX = 600


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body; its signature and docstring do not count."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def test_lines_are_counted_without_signature_and_docstring() -> None:
    (found,) = functions(
        ast.parse('def f(\n    a: int,\n) -> int:\n    """One.\n\n    Two.\n    """\n    a += 1\n\n    return a\n')
    )
    assert body_lines(found) == 3


def test_no_function_is_long() -> None:
    breaches = [
        f"{where(path, function.lineno)} {function.name}: {body_lines(function)} lines"
        for path in (*product(), *trials())
        for function in functions(tree(path))
        if body_lines(function) > BODY_LINES_MAX
    ]
    assert not breaches, listed(breaches, f"A function's body has at most {BODY_LINES_MAX} lines.")


def test_nine_of_ten_functions_are_short() -> None:
    lengths = {
        f"{where(path, function.lineno)} {function.name}": body_lines(function)
        for path in product()
        for function in functions(tree(path))
    }
    assert len(lengths) > 100, "The product's functions were not found."
    long = [f"{place}: {lines} lines" for place, lines in lengths.items() if lines > BODY_LINES_MOST]
    share = 1 - len(long) / len(lengths)
    law = f"Nine of ten functions keep within {BODY_LINES_MOST} lines; {share:.1%} do."
    assert share >= SHARE_WITHIN_MOST, listed(long, law)


def test_no_module_is_long() -> None:
    limits = {**dict.fromkeys(product(), MODULE_LINES_MAX), **dict.fromkeys(trials(), TEST_MODULE_LINES_MAX)}
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in limits}
    breaches = [
        f"{where(path)}: {lines[path]} of {limits[path]} lines" for path in limits if lines[path] > limits[path]
    ]
    assert not breaches, listed(breaches, "A module keeps within its limit.")
