"""
A strict reader of JSON payloads.

A hub's JSON is refused, with the path of the field, where it is not what its maker sends: not UTF-8, not JSON, a key
twice in one object, NaN or Infinity, text that is not Unicode, a field of another type. Numbers keep every digit:
fractions come as Decimal. Nothing is guessed and nothing is converted.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from gateway.core.errors import BadValue, Truncated, UnknownLayout

# Far above any hub's message; a larger one is kept aside unread (see gateway.intake).
PAYLOAD_BYTES_MAX = 262_144
_DECIMAL = re.compile(r"[+-]?\d{1,18}(\.\d{1,12})?")
_MISSING = object()


class Node:
    """One value of a payload and the path that leads to it."""

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: str = "") -> None:
        self.value = value
        self.path = path

    def __getitem__(self, key: str) -> "Node":
        """The field of an object; raises Truncated where it is absent or null."""
        found = self.maybe(key)
        if found is None:
            raise Truncated(f"The message has no {self._join(key)}.")
        return found

    def maybe(self, key: str) -> "Node | None":
        """The field of an object; None where it is absent or null."""
        value = self.object().get(key, _MISSING)
        return None if value is _MISSING or value is None else Node(value, self._join(key))

    def object(self) -> dict[str, Any]:
        """As an object."""
        if not isinstance(self.value, dict):
            self._wrong("an object")
        return self.value

    def each(self) -> Iterator["Node"]:
        """The items of an array."""
        if not isinstance(self.value, list):
            self._wrong("a list")
        for index, item in enumerate(self.value):
            yield Node(item, f"{self.path}[{index}]")

    def text(self) -> str:
        """As non-empty text."""
        if not isinstance(self.value, str) or not self.value:
            self._wrong("text")
        return self.value

    def identifier(self) -> str:
        """As an identity: text or an integer, printable and at most 128 characters."""
        text = str(self.value) if _is_integer(self.value) else self.text()
        if len(text) > 128 or not text.isprintable():
            self._wrong("an identity of at most 128 printable characters")
        return text

    def number(self) -> Decimal:
        """As a number, exactly; text that spells a plain decimal number counts as one."""
        value = self.value
        if isinstance(value, Decimal) or _is_integer(value):
            return Decimal(value)
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            return Decimal(value)
        return self._wrong("a number")

    def integer(self) -> int:
        """As a whole number; text that spells one counts."""
        value = self.number()
        if value != value.to_integral_value():
            self._wrong("a whole number")
        return int(value)

    def flag(self) -> bool:
        """As true or false; 1, 0 and their text count."""
        table = {True: True, False: False, "1": True, "0": False, "true": True, "false": False}
        value = self.value.lower() if isinstance(self.value, str) else self.value
        if isinstance(value, Decimal | list | dict) or value not in table:
            self._wrong("true or false")
        return table[value]

    def word(self, table: dict[str, Any]) -> Any:
        """What `table` holds for this text; raises BadValue for a word its maker does not use."""
        key = self.text()
        if key not in table:
            # the word itself stays in the frame: a foreign message may hold a name here
            raise BadValue(f"The message's {self.path} is none of {', '.join(sorted(table))}.")
        return table[key]

    def _join(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _wrong(self, wanted: str) -> NoReturn:
        raise BadValue(f"The message's {self.path or 'top level'} is not {wanted}.")


def read_json(payload: bytes) -> Node:
    """The payload as a Node; raises UnknownLayout where it is not strict JSON."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise UnknownLayout(f"The message has {len(payload)} bytes; at most {PAYLOAD_BYTES_MAX} are read.")
    try:
        value = _decoder.decode(payload.decode("utf-8"))
        if b"\\u" in payload:
            # an escaped lone surrogate is no text; the encoder is what notices
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeError as error:
        raise UnknownLayout("The message is not UTF-8 text.") from error
    except (ValueError, InvalidOperation) as error:
        raise UnknownLayout("The message is not JSON.") from error
    except RecursionError as error:
        raise UnknownLayout("The message is nested too deeply.") from error
    return Node(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnknownLayout("The message names a field twice in one object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise UnknownLayout(f"The message holds {name}, which is no number.")


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_once)
