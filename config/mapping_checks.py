"""What single values of a mapping file must look like: a check gives the value, or raises ValueError with why not."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from drivers.mapping import PREFIX
from drivers.mapping_kinds import KINDS, known
from drivers.mapping_path import Scalar
from drivers.vectors import SAMPLE_KEYS
from gateway.core import errors
from gateway.core.errors import DecodeError
from gateway.core.observation import Kind, Unit, Why, is_plain

ROWS_MAX = 64
_NAME = re.compile(rf"{PREFIX}[a-z0-9]+(-[a-z0-9]+)*")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,47}")
_NAMESPACE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME_MAX = 64
# With these many digits a number times a step is still exact (28 digits).
_STEP_DIGITS_MAX = 6


def driver_name(value: Any) -> str:
    """A mapped driver's name."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > _NAME_MAX:
        raise ValueError(f'must be "{PREFIX}" and a name in small letters, digits and dashes')
    return value


def namespace(value: Any) -> str:
    """What stands before a device's own id."""
    if not isinstance(value, str) or not _NAMESPACE.fullmatch(value) or len(value) > _NAME_MAX:
        raise ValueError("must be small letters, digits and dashes")
    return value


def status_word(value: Any) -> str:
    """A word as records hold them."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError("must be a word of small letters, digits and underscores")
    return value


def kind(value: Any) -> tuple[Kind, tuple[Unit, ...]]:
    """A kind by its name or code, and the units that fit it."""
    found = known(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"is none of {', '.join(KINDS)}, nor the code of one; anything else needs a driver")
    return found


def one_of(value: Any, words: tuple[str, ...]) -> Unit:
    """One of some units or words."""
    if value not in words:
        raise ValueError("must be " + " or ".join(f'"{word}"' for word in words))
    return Unit(value)


def unit_words(value: Any, fitting: tuple[Unit, ...]) -> dict[str, Unit]:
    """The vendor's words for units, each with the unit it means."""
    if not isinstance(value, dict) or not value or len(value) > ROWS_MAX:
        raise ValueError('must be a table of the vendor\'s words and their units, for example { bpm = "/min" }')
    return {word: one_of(unit, fitting) for word, unit in value.items()}


def instead(value: Any) -> dict[str, Why]:
    """The vendor's words in place of a number, each with what it says."""
    if not isinstance(value, dict):
        raise ValueError('must be a table, for example { HI = "above_range" }')  # noqa: TRY004 -- a ValueError is how a check says what is wrong
    return {word: Why(one_of(why, tuple(Why))) for word, why in value.items()}


def step(value: Any) -> Decimal:
    """What one of a number is worth."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number, for example 0.1")  # noqa: TRY004 -- see above
    number = Decimal(value)
    if not is_plain(number) or number <= 0 or len(number.as_tuple().digits) > _STEP_DIGITS_MAX:
        raise ValueError(f"must be a number above 0 with at most {_STEP_DIGITS_MAX} digits")
    return number


def _listed(value: Any, is_one: Callable[[Any], bool], what: str) -> tuple[Any, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or len(items) > ROWS_MAX or not all(is_one(item) for item in items):
        raise ValueError(f"must be {what}, or a list of at most {ROWS_MAX}")
    return tuple(items)


def scalars(value: Any) -> tuple[Scalar, ...]:
    """One value to compare with, or a list of them."""
    return _listed(value, lambda item: isinstance(item, str | int | Decimal | bool), "a text, a number, true or false")


def numbers(value: Any) -> tuple[Decimal | int, ...]:
    """One number, or a list of them."""
    return _listed(value, lambda item: isinstance(item, int | Decimal) and not isinstance(item, bool), "a number")


def texts(value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    return _listed(value, lambda item: isinstance(item, str) and bool(item) and item.isprintable(), "a text")


def frame(value: Any) -> str:
    """Text of any form."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be text")
    return value


def error_name(value: Any) -> str:
    """The name of a refusal."""
    found = getattr(errors, value, None) if isinstance(value, str) else None
    if not (isinstance(found, type) and issubclass(found, DecodeError)):
        raise ValueError("is no refusal; one of Truncated, UnknownLayout, BadValue")  # noqa: TRY004 -- see above
    return found.__name__


def samples(value: Any) -> tuple[dict[str, Any], ...]:
    """What a vector says of each sample."""
    rows = _listed(value, lambda item: isinstance(item, dict), "a table")
    for row in rows:
        if unknown := row.keys() - SAMPLE_KEYS:
            raise ValueError(f"has the unknown key {min(unknown)}")
    return rows
