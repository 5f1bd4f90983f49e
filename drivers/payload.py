"""
A strict reader of JSON payloads.

A hub's JSON is refused, with the path of the field, where it is not what its maker sends: not UTF-8, not JSON, a key
twice in one object, NaN or Infinity, text that is not Unicode, a field of another type. Numbers keep every digit:
fractions come as Decimal. Nothing is guessed and nothing is converted.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, TypeVar

from gateway.core.errors import BadValue, Truncated, UnknownLayout
from gateway.core.observation import is_plain
from gateway.core.reading import Frame, Sample
from gateway.core.time import DeviceTime

# Far above any hub's message; a larger one is kept aside unread (see gateway.intake).
PAYLOAD_BYTES_MAX = 262_144
# A number as makers spell it in text: "72.00", "-4". No exponent, no spaces, no words.
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
# RFC 3339, where seconds and offset may be left out: what datetime.fromisoformat takes beyond it, no hub sends.
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_IDENTITY_MAX = 128
_SLOT_MAX = 255

Meaning = TypeVar("Meaning")


class Node:
    """One value of a payload and the way that leads to it, written out only where a sentence needs it."""

    __slots__ = ("_key", "_parent", "value")

    def __init__(self, value: Any, parent: "Node | None" = None, key: str = "") -> None:
        self.value = value
        self._parent = parent
        self._key = key

    @property
    def path(self) -> str:
        """`measure.data[2].value`; empty for the payload itself."""
        return self._key if self._parent is None else self._parent.join(self._key)

    def __getitem__(self, key: str) -> "Node":
        """The field of an object; raises Truncated where it is absent or null."""
        # written out rather than by way of `maybe`: a message is some twenty of these
        value = self.value.get(key) if type(self.value) is dict else self._wrong("an object")
        if value is None:
            raise Truncated(f"The message has no {self.join(key)}.")
        return Node(value, self, key)

    def __contains__(self, key: str) -> bool:
        """Whether an object has this field, with a value other than null."""
        return self.maybe(key) is not None

    def maybe(self, key: str) -> "Node | None":
        """The field of an object; None where it is absent or null."""
        value = self.value.get(key) if isinstance(self.value, dict) else self._wrong("an object")
        return None if value is None else Node(value, self, key)

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
            yield Node(item, self, f"[{index}]")

    def text(self) -> str:
        """As non-empty text."""
        if not isinstance(self.value, str) or not self.value:
            self._wrong("text")
        return self.value

    def identifier(self) -> str:
        """As an identity: text or an integer, printable and at most 128 characters."""
        text = str(self.value) if _is_integer(self.value) else self.text()
        if len(text) > _IDENTITY_MAX or not text.isprintable():
            self._wrong(f"an identity of at most {_IDENTITY_MAX} printable characters")
        return text

    def number(self) -> Decimal:
        """As a JSON number, exactly."""
        if not isinstance(self.value, Decimal) and not _is_integer(self.value):
            self._wrong("a number")
        number = Decimal(self.value)
        # 1e999 is JSON; arithmetic with it overflows, and no device means it
        if not is_plain(number):
            self._wrong("a number a device can mean")
        return number

    def numeral(self) -> Decimal:
        """As a JSON number, or text that spells a plain decimal one: for makers who send numbers as text."""
        if isinstance(self.value, str) and _DECIMAL.fullmatch(self.value):
            return Node(Decimal(self.value), self._parent, self._key).number()
        return self.number()

    def integer(self) -> int:
        """As a JSON number without a fraction part."""
        if not _is_integer(self.value):
            self._wrong("a whole number")
        return int(self.value)

    def integer_numeral(self) -> int:
        """As a whole number, or text that spells one."""
        value = self.numeral()
        if not isinstance(exponent := value.as_tuple().exponent, int) or exponent != 0:
            self._wrong("a whole number")
        return int(value)

    def slot(self) -> int:
        """As a user's number on a shared device."""
        value = self.integer()
        if not 0 <= value <= _SLOT_MAX:
            self._wrong(f"a user's number from 0 to {_SLOT_MAX}")
        return value

    def flag(self) -> bool:
        """As true or false."""
        if not isinstance(self.value, bool):
            self._wrong("true or false")
        return self.value

    def bit(self) -> bool:
        """As 0 or 1, or true or false: makers whose firmware and cloud differ send both."""
        if _is_integer(self.value) and self.value in (0, 1):
            return bool(self.value)
        return self.flag()

    def word(self, table: Mapping[str, Meaning]) -> Meaning:
        """What `table` holds for this text; raises BadValue for a word its maker does not use."""
        key = self.text()
        if key not in table:
            # the word itself stays in the frame: a foreign message may hold a name here
            raise BadValue(f"The message's {self.path} is none of {', '.join(sorted(table))}.")
        return table[key]

    def code(self, table: Mapping[int, Meaning]) -> Meaning:
        """What `table` holds for this whole number; raises BadValue for a number its maker does not use."""
        return self._coded(Decimal(self.integer()), table)

    def code_numeral(self, table: Mapping[int, Meaning]) -> Meaning:
        """Like `code`, for makers who send "4.00" for 4."""
        return self._coded(self.numeral(), table)

    def _coded(self, key: Decimal, table: Mapping[int, Meaning]) -> Meaning:
        for known, meaning in table.items():
            if key == known:
                return meaning
        raise BadValue(f"The message's {self.path} is none of {', '.join(str(known) for known in sorted(table))}.")

    def time(self) -> DeviceTime:
        """As RFC 3339 text, with or without an offset."""
        text = self.text()
        if not _RFC3339.fullmatch(text):
            self._wrong("a date and time as RFC 3339 writes them")
        return DeviceTime.iso(text)

    def epoch_ms(self) -> DeviceTime:
        """As milliseconds since 1970 in UTC."""
        return self._epoch(1)

    def epoch_s(self) -> DeviceTime:
        """As seconds since 1970 in UTC."""
        return self._epoch(1000)

    def _epoch(self, step_ms: int) -> DeviceTime:
        count = self.integer_numeral()
        if count < 0:
            self._wrong("a time after 1970")
        return DeviceTime.epoch_ms(count * step_ms)

    def join(self, key: str) -> str:
        """The path of a field or item within this."""
        return f"{self.path}{key}" if key.startswith("[") else f"{self.path}.{key}".lstrip(".")

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


def each_message(frame: Frame, read: Callable[[Node], tuple[Sample, ...]]) -> tuple[Sample, ...]:
    """Every sample of a payload that is one message or a list of them; one bad message refuses the frame."""
    top = read_json(frame.payload)
    if not isinstance(top.value, list):
        return read(top)
    if not top.value:
        raise UnknownLayout("The message is an empty list.")
    return tuple(sample for item in top.each() for sample in read(item))


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
