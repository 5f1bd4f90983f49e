r"""
Plain pages for a clinic's file: PDF with text in the standard fonts, lines, boxes and tables.

Lengths are points (1/72 inch) on US Letter, y counted downwards from the top edge. The same content gives the same
bytes: no clock, no random identifier. A letter the standard fonts lack is written as its code point (`\u0141`), never
as a question mark.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pydyf

WIDTH = 612.0
HEIGHT = 792.0
MARGIN = 48.0
INNER = WIDTH - 2 * MARGIN
_BOTTOM = HEIGHT - MARGIN - 12  # the footer stands below
_LEADING = 1.3  # from one line to the next, in sizes

PLAIN, BOLD, MONO = "F1", "F2", "F3"
_FONTS = {PLAIN: "Helvetica", BOLD: "Helvetica-Bold", MONO: "Courier"}
Colour = tuple[float, float, float]
BLACK: Colour = (0.0, 0.0, 0.0)
GREY: Colour = (0.4, 0.4, 0.4)
PALE: Colour = (0.93, 0.93, 0.93)
WHITE: Colour = (1.0, 1.0, 1.0)

# Widths of 0x20 to 0x7E in thousandths of the size, from Adobe's font metrics of the standard 14 fonts (1997).
_WIDTHS = {
    PLAIN: (
        *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
        *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
        *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
        *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
        *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
        *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
    ),
    BOLD: (
        *(278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278),
        *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611),
        *(975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778),
        *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556),
        *(333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611),
        *(611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584),
    ),
}
_OTHER_WIDTH = 600  # Courier's own, and near enough for accented letters and dashes


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, its width and its font."""

    title: str
    width: float
    font: str = PLAIN


class Paper:
    """
    Pages written from top to bottom.

    `text`, `heading`, `pairs` and `table` flow and break pages by themselves; `at`, `box` and `line` draw at a place.
    `y` is where the next flowing line begins. `title` stands in the footer of every page, with the page's number.
    """

    def __init__(self, title: str, subject: str = "") -> None:
        self._title = title
        self._subject = subject
        self._pages: list[pydyf.Stream] = []
        self.y = MARGIN
        self.page_break()

    # What flows

    def text(
        self, words: str, *, size: float = 10, font: str = PLAIN, indent: float = 0, colour: Colour = BLACK
    ) -> None:
        """A paragraph, wrapped at the right margin."""
        for row in wrapped(words, font, size, INNER - indent):
            self.need(size * _LEADING)
            self.at(MARGIN + indent, self.y + size, row, size=size, font=font, colour=colour)
            self.y += size * _LEADING

    def heading(self, words: str, *, size: float = 13, keep: float = 48) -> None:
        """A heading that is never the last thing on a page: `keep` points below it stay with it."""
        gap = 0 if self.y == MARGIN else size
        self.need(gap + size * _LEADING + 4 + keep)
        self.y += 0 if self.y == MARGIN else size
        self.text(words, size=size, font=BOLD)
        self.y += 4

    def pairs(self, rows: Sequence[tuple[str, str]], *, label_width: float = 130, size: float = 10) -> None:
        """Labels with what they say, one pair a line; a long value wraps beside its label."""
        for label, value in rows:
            lines = wrapped(value, PLAIN, size, INNER - label_width)
            self.need(size * _LEADING * min(len(lines), 2))
            self.at(MARGIN, self.y + size, label, size=size, colour=GREY)
            self.text(value, size=size, indent=label_width)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, size: float = 8) -> None:
        """Rows under a heading that is repeated on every page; long cells wrap, and no row is torn apart."""
        self.need(4 * size * _LEADING)
        self._header(columns, size)
        for row in rows:
            cells = [
                wrapped(cell, column.font, size, column.width - 4) for cell, column in zip(row, columns, strict=True)
            ]
            height = max(map(len, cells)) * size * _LEADING + 3
            if self.y + height > _BOTTOM:
                self.page_break()
                self._header(columns, size)
            self._row(columns, cells, size)
            self.y += height
            self.line(MARGIN, self.y, MARGIN + sum(column.width for column in columns), self.y, colour=PALE)
        self.y += size

    def _header(self, columns: Sequence[Column], size: float) -> None:
        height = size * _LEADING + 4
        self.box(MARGIN, self.y, sum(column.width for column in columns), height, fill=PALE)
        bold = [Column(column.title, column.width, BOLD) for column in columns]
        self._row(bold, [[column.title] for column in columns], size)
        self.y += height

    def _row(self, columns: Sequence[Column], cells: Sequence[Sequence[str]], size: float) -> None:
        x = MARGIN
        for column, lines in zip(columns, cells, strict=True):
            for n, words in enumerate(lines):
                self.at(x + 2, self.y + 1 + size + n * size * _LEADING, words, size=size, font=column.font)
            x += column.width

    def space(self, points: float) -> None:
        """Room before what follows."""
        self.y += points

    def need(self, points: float) -> None:
        """Begin a new page unless this much room is left on this one."""
        if self.y + points > _BOTTOM:
            self.page_break()

    def page_break(self) -> None:
        """Begin a new page."""
        self._pages.append(pydyf.Stream(compress=True))
        self.y = MARGIN

    # What is drawn at a place

    def at(
        self, x: float, y: float, words: str, *, size: float = 10, font: str = PLAIN, colour: Colour = BLACK
    ) -> None:
        """One line of text whose baseline starts at (x, y); it does not move `y`."""
        _write(self._pages[-1], (x, y), words, (font, size), colour)

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: Colour | None = None, edge: Colour | None = None
    ) -> None:
        """A rectangle with its upper left corner at (x, y)."""
        page = self._pages[-1]
        page.set_line_width(0.8)
        page.set_color_rgb(*(fill or WHITE))
        page.set_color_rgb(*(edge or BLACK), stroke=True)
        page.rectangle(x, HEIGHT - y - height, width, height)
        if fill and edge:
            page.fill_and_stroke()
        elif fill:
            page.fill()
        else:
            page.stroke()

    def line(self, x1: float, y1: float, x2: float, y2: float, *, colour: Colour = BLACK, width: float = 0.6) -> None:
        """A straight line."""
        page = self._pages[-1]
        page.set_line_width(width)
        page.set_color_rgb(*colour, stroke=True)
        page.move_to(x1, HEIGHT - y1)
        page.line_to(x2, HEIGHT - y2)
        page.stroke()

    # What comes of it

    def written(self) -> bytes:
        """The whole document as PDF, with the footer on every page; ask once, when everything is drawn."""
        document = pydyf.PDF()
        document.info.update({"Title": _string(self._title), "Subject": _string(self._subject)})
        fonts = pydyf.Dictionary({key: _font(name) for key, name in _FONTS.items()})
        for number, page in enumerate(self._pages, 1):
            self._footer(page, number)
            document.add_object(page)
            document.add_page(_page(document, page, fonts))
        out = io.BytesIO()
        document.write(out)
        return out.getvalue()

    def _footer(self, page: pydyf.Stream, number: int) -> None:
        y, count = HEIGHT - MARGIN + 16, f"Page {number} of {len(self._pages)}"
        _write(page, (MARGIN, y), self._title, (PLAIN, 8), GREY)
        _write(page, (WIDTH - MARGIN - width_of(count, PLAIN, 8), y), count, (PLAIN, 8), GREY)


def width_of(words: str, font: str, size: float) -> float:
    """How wide a line of text is, in points."""
    widths = _WIDTHS.get(font)
    if widths is None:
        return len(_encoded(words)) * _OTHER_WIDTH * size / 1000
    known = (widths[code - 32] if 32 <= code < 127 else _OTHER_WIDTH for code in _encoded(words))
    return sum(known) * size / 1000


def wrapped(words: str, font: str, size: float, width: float) -> list[str]:
    """Text in lines no wider than `width`; a word wider than that (a hash, a path) is broken, nothing is lost."""
    lines = [""]
    for word in words.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width_of(joined, font, size) <= width:
            lines[-1] = joined
        else:
            lines += _broken(word, font, size, width)
    return [line for line in lines if line] or [""]


def _broken(word: str, font: str, size: float, width: float) -> list[str]:
    parts = [""]
    for letter in word:
        if parts[-1] and width_of(parts[-1] + letter, font, size) > width:
            parts.append("")
        parts[-1] += letter
    return parts


def _write(
    page: pydyf.Stream, place: tuple[float, float], words: str, type_: tuple[str, float], colour: Colour
) -> None:
    font, size = type_
    page.begin_text()
    page.set_color_rgb(*colour)
    page.set_font_size(font, float(size))
    page.move_text_to(float(place[0]), float(HEIGHT - place[1]))
    page.stream.append(_string(words).data + b" Tj")
    page.end_text()


def _page(document: pydyf.PDF, content: pydyf.Stream, fonts: pydyf.Dictionary) -> pydyf.Dictionary:
    return pydyf.Dictionary(
        {
            "Type": "/Page",
            "Parent": document.pages.reference,
            "MediaBox": pydyf.Array([0, 0, WIDTH, HEIGHT]),
            "Contents": content.reference,
            "Resources": pydyf.Dictionary({"Font": fonts}),
        }
    )


def _font(name: str) -> pydyf.Dictionary:
    return pydyf.Dictionary(
        {"Type": "/Font", "Subtype": "/Type1", "BaseFont": f"/{name}", "Encoding": "/WinAnsiEncoding"}
    )


def _encoded(words: str) -> bytes:
    return words.encode("cp1252", "backslashreplace")


def _string(words: str) -> Any:
    return pydyf.String(_encoded(words))
