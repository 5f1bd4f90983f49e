"""
Reads JSON that people and other programs wrote: every mistake noted with its path, none raised, no value repeated.

A check is a function that gives the value or raises ValueError with what it must be.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

from gateway.core.errors import BadInput
from gateway.core.period import to_ms

T = TypeVar("T")
M = TypeVar("M", bound=StrEnum)

_TEXT_MAX = 1_000
# Years whose instants have a civil date in every zone.
_YEAR_MIN, _YEAR_MAX = 2, 9998


def parse_json(content: bytes) -> Any:
    """One JSON document; raises BadInput for what is not JSON, for a key that stands twice, for NaN."""
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise BadInput("The file is not UTF-8 text; an evidence bundle is JSON in UTF-8.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadInput(f"The file is not JSON ({where}); export the bundle again.") from error
    except (RecursionError, ValueError) as error:
        raise BadInput("The file is JSON no bundle is written in: nested or numbered beyond reason.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise BadInput("A key stands twice in one object of the file; which of its values is meant cannot be known.")
    return table


def _no_number(_: str) -> NoReturn:
    raise BadInput("The file holds NaN or Infinity, which JSON does not have; export the bundle again.")


class Part:
    """One object under its path; mistakes are noted, and reading goes on."""

    def __init__(self, table: Any, path: str, mistakes: list[str]) -> None:
        self.path = path
        self.mistakes = mistakes
        self.is_table = isinstance(table, dict)
        self._table: dict[str, Any] = table if self.is_table else {}
        if not self.is_table:
            mistakes.append(f"{path} must be an object.")

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def wrong(self, key: str, what: str) -> None:
        """Note a mistake of a key."""
        self.mistakes.append(f"{self.at(key)} {what}.")

    def get(self, key: str, check: Callable[[Any], T]) -> T | None:
        """What `check` makes of the key; None and a mistake where it is missing or wrong."""
        if not self.is_table:
            return None
        if key not in self._table:
            self.wrong(key, "is missing")
            return None
        try:
            return check(self._table[key])
        except ValueError as error:
            self.wrong(key, str(error))
            return None

    def part(self, key: str) -> "Part":
        """The object under a key."""
        return Part(self._table.get(key), self.at(key), self.mistakes)

    def parts(self, key: str) -> "list[Part]":
        """The objects of the list under a key."""
        items = self.get(key, a_list) or ()
        return [Part(item, f"{self.at(key)}[{index}]", self.mistakes) for index, item in enumerate(items)]


def text(value: Any) -> str:
    """Text in printable characters, not empty."""
    if not isinstance(value, str) or not value.strip() or len(value) > _TEXT_MAX or not value.isprintable():
        raise ValueError("must be text in printable characters")
    return value


def flag(value: Any) -> bool:
    """A truth value."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 -- a ValueError is how a check says what is wrong
    return value


def whole(value: Any, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return value


def a_list(value: Any) -> Sequence[Any]:
    """A list."""
    if not isinstance(value, list):
        raise ValueError("must be a list")  # noqa: TRY004 -- as above
    return value


def word(value: Any, words: Iterable[str]) -> str:
    """One of some words."""
    for known in words:
        if value == known:
            return known
    raise ValueError("must be " + " or ".join(f'"{known}"' for known in words))


def member(words: type[M]) -> Callable[[Any], M]:
    """A check for the words of an enumeration."""
    return lambda value: words(word(value, [known.value for known in words]))


def zone(value: Any) -> ZoneInfo:
    """A time zone of the IANA data."""
    try:
        return ZoneInfo(text(value))
    except (LookupError, OSError, ValueError) as error:
        raise ValueError('names no time zone that exists; write it as "America/New_York"') from error


def instant(value: Any) -> int:
    """A date and time with its offset, as UTC milliseconds."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.utcoffset() is None:
        raise ValueError("must be a date and time with its offset from UTC, such as 2026-03-02T10:00:00-05:00")
    if not _YEAR_MIN <= parsed.replace(tzinfo=UTC).year <= _YEAR_MAX:
        raise ValueError("lies outside the calendar")
    return to_ms(parsed)


def or_null(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """A check that lets null through."""
    return lambda value: None if value is None else check(value)
