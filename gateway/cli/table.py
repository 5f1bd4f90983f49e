"""Plain text tables for a terminal."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their content; where the terminal is narrower, the widest wrap, never within a word."""
    body = [[str(cell) for cell in row] for row in rows]
    widths = _fitted([list(column) for column in zip(head, *body, strict=True)], _columns())
    rule = ["-" * width for width in widths]
    return "\n".join(_line(row, widths) for row in [head, rule, *body])


def sentence(text: str) -> str:
    """A sentence within the terminal's width; what follows its first line is indented."""
    return textwrap.fill(text, _columns(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _columns() -> int:
    return shutil.get_terminal_size((120, 24)).columns


def _fitted(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column: the widest give way, down to their longest word."""
    widths = [max(map(len, column)) for column in columns]
    least = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    excess = sum(widths) + 2 * (len(widths) - 1) - room
    while excess > 0 and widths != least:
        widest = max((at for at in range(len(widths)) if widths[at] > least[at]), key=lambda at: widths[at])
        widths[widest] -= 1
        excess -= 1
    return widths


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        textwrap.wrap(cell, max(width, 1), break_long_words=False, break_on_hyphens=False)
        for cell, width in zip(row, widths, strict=True)
    ]
    lines = zip_longest(*cells, fillvalue="")
    said = ["  ".join(piece.ljust(width) for piece, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in said)
