"""
The calendar of a packet: thirty dates, and for each at a glance whether it counts and why not.

Every cell says in words or codes what its colour says, so that a copy in black and white tells the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from gateway.paper import BLACK, BOLD, GREY, INNER, MARGIN, PLAIN, WHITE, Colour, Paper, width_of

_GREEN: Colour = (0.09, 0.39, 0.24)
_AMBER: Colour = (1.0, 0.91, 0.68)
_BLUE: Colour = (0.84, 0.91, 0.98)
_FAINT: Colour = (0.95, 0.95, 0.95)
_EDGE: Colour = (0.55, 0.55, 0.55)
_GAP = 3.0
_WIDTH = (INNER - 6 * _GAP) / 7
_HEIGHT = 46.0
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True, slots=True)
class Cell:
    """One date: what it says, and how it looks."""

    day: date
    words: str
    fill: Colour
    ink: Colour = BLACK
    counted: bool = False


def cells(days: Sequence[dict[str, Any]], *, is_open: bool, today: date) -> list[Cell]:
    """The dates of `days.dates` as cells."""
    return [_cell(line, date.fromisoformat(line["date"]), is_open=is_open, today=today) for line in days]


def _cell(line: dict[str, Any], day: date, *, is_open: bool, today: date) -> Cell:
    if line["counted"]:
        return Cell(day, "counted", _GREEN, WHITE, counted=True)
    if line["late"]:
        return Cell(day, "not yet sent" if is_open else "late", _BLUE)
    if line["reasons"]:
        codes = sorted({reason.split()[0] for reason in line["reasons"]})
        return Cell(day, " ".join(codes[:3]) + (" ..." if len(codes) > 3 else ""), _AMBER)
    if day > today:
        return Cell(day, "to come", _FAINT, GREY)
    return Cell(day, "no reading", WHITE, GREY)


def draw(paper: Paper, found: Sequence[Cell]) -> None:
    """Draw the calendar, week by week from Sunday, and leave `y` below it."""
    for column, name in enumerate(_DAYS):
        paper.at(MARGIN + column * (_WIDTH + _GAP) + 3, paper.y + 8, name, size=8, colour=GREY)
    top = paper.y + 13
    sunday = found[0].day - timedelta(days=_column(found[0].day))
    for cell in found:
        row = (cell.day - sunday).days // 7
        x, y = MARGIN + _column(cell.day) * (_WIDTH + _GAP), top + row * (_HEIGHT + _GAP)
        _draw_cell(paper, cell, x, y, first=cell is found[0])
    rows = (found[-1].day - sunday).days // 7 + 1
    paper.y = top + rows * (_HEIGHT + _GAP) + 4


def _draw_cell(paper: Paper, cell: Cell, x: float, y: float, *, first: bool) -> None:
    paper.box(x, y, _WIDTH, _HEIGHT, fill=cell.fill, edge=_GREEN if cell.counted else _EDGE)
    name = f"{cell.day:%b} {cell.day.day}" if first or cell.day.day == 1 else str(cell.day.day)
    paper.at(x + 5, y + 16, name, size=13, font=BOLD, colour=cell.ink)
    size = 8.5 if width_of(cell.words, PLAIN, 8.5) < _WIDTH - 8 else 7
    paper.at(x + 5, y + _HEIGHT - 8, cell.words, size=size, colour=cell.ink)
    if cell.counted:
        tick_x, tick_y = x + _WIDTH - 21, y + 16
        paper.line(tick_x, tick_y, tick_x + 4, tick_y + 5, colour=WHITE, width=2)
        paper.line(tick_x + 4, tick_y + 5, tick_x + 13, tick_y - 7, colour=WHITE, width=2)


def _column(day: date) -> int:
    return (day.weekday() + 1) % 7


def legend(paper: Paper, found: Sequence[Cell], reasons: Sequence[tuple[str, int]], *, is_open: bool) -> None:
    """What the cells mean, as far as they occur; `reasons` are each reason and how many readings met it."""
    words = {cell.words for cell in found}
    if "counted" in words:
        _entry(
            paper, _GREEN, "counted", "a device's own reading of this patient, acknowledged before the period closed"
        )
    if "not yet sent" in words:
        _entry(paper, _BLUE, "not yet sent", "qualifies, and no backend has acknowledged it yet")
    if "late" in words:
        _entry(paper, _BLUE, "late", "qualifies, and was acknowledged after the period closed, or never")
    if "no reading" in words:
        _entry(paper, WHITE, "no reading", "nothing came from this date")
    for reason, count in reasons:
        code, _, why = reason.partition(" ")
        many = "1 reading" if count == 1 else f"{count} readings"
        _entry(paper, _AMBER, code, f"does not count: {why} ({many})")
    if is_open and "to come" in words:
        _entry(paper, _FAINT, "to come", "the period still runs")


def _entry(paper: Paper, colour: Colour, name: str, words: str) -> None:
    paper.need(13)
    paper.box(MARGIN, paper.y + 1.5, 10, 8, fill=colour, edge=_EDGE)
    paper.at(MARGIN + 16, paper.y + 9, name, size=8.5, font=BOLD)
    paper.at(MARGIN + 78, paper.y + 9, words, size=8.5)
    paper.y += 12.5
