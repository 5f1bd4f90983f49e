"""Plain text tables for a terminal."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their content; the last one wraps at the terminal's edge."""
    body = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    room = max(24, shutil.get_terminal_size((120, 24)).columns - sum(widths[:-1]) - 2 * len(widths[:-1]))
    lines = [
        _line(head, widths, room),
        _line(["-" * width for width in [*widths[:-1], min(widths[-1], room)]], widths, room),
    ]
    return "\n".join([*lines, *(_line(row, widths, room) for row in body)])


def _line(row: Sequence[str], widths: Sequence[int], room: int) -> str:
    first = "  ".join(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
    pieces = textwrap.wrap(row[-1], room) or [""]
    indent = " " * (len(first) + 2) if first else ""
    lead = f"{first}  " if first else ""
    return "\n".join([f"{lead}{pieces[0]}".rstrip(), *(f"{indent}{piece}" for piece in pieces[1:])])
