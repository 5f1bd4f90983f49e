"""
A reader of protocol buffers' wire form: numbered fields, in the order they stand.

Source: protobuf.dev/programming-guides/encoding. Only what a payload needs: varints, fixed 32 and 64 bits, and
length-delimited bytes. Groups, gone since proto3, are refused.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from drivers.fields import Fields
from gateway.core.errors import BadValue, UnknownLayout

_VARINT_BYTES_MAX = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its number and what stands there, an integer or bytes (fixed-width fields as their bytes)."""

    number: int
    value: int | bytes

    def whole(self) -> int:
        """As a varint."""
        if not isinstance(self.value, int):
            raise BadValue(f"Field {self.number} of the message is not a whole number.")
        return self.value

    def raw(self) -> bytes:
        """As bytes."""
        if not isinstance(self.value, bytes):
            raise BadValue(f"Field {self.number} of the message is not a run of bytes.")
        return self.value

    def text(self) -> str:
        """As UTF-8 text."""
        try:
            return self.raw().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadValue(f"Field {self.number} of the message is not text.") from error

    def signed(self, bits: int) -> int:
        """As a two's complement number of this width."""
        value = self.whole() & (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value

    def real(self) -> Decimal | None:
        """As a float or double, by its width: the shortest decimal that names it; None for NaN and infinities."""
        raw = self.raw()
        if len(raw) not in (4, 8):
            raise BadValue(f"Field {self.number} of the message is not a floating point number.")
        (value,) = struct.unpack("<f" if len(raw) == 4 else "<d", raw)
        if not math.isfinite(value):
            return None
        return Decimal(repr(value) if len(raw) == 8 else _shortest(value, raw))


def fields(payload: bytes) -> Iterator[Field]:
    """Every field of a message; raises Truncated, BadValue and UnknownLayout."""
    reader = Fields(payload)
    while reader.left():
        tag = _varint(reader)
        number, wire_type = tag >> 3, tag & 7
        if not number:
            raise UnknownLayout("The message numbers a field 0.")
        if wire_type == _VARINT:
            yield Field(number, _varint(reader))
        elif wire_type == _FIXED64:
            yield Field(number, reader.take(8))
        elif wire_type == _BYTES:
            yield Field(number, reader.take(_varint(reader)))
        elif wire_type == _FIXED32:
            yield Field(number, reader.take(4))
        else:
            raise UnknownLayout("The message holds a field of a form protocol buffers no longer have.")


def _varint(reader: Fields) -> int:
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        byte = reader.u8()
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value
    raise BadValue("The message holds a number longer than ten bytes.")


def _shortest(value: float, raw: bytes) -> str:
    for digits in range(6, 9):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == raw:
            return text
    return f"{value:.9g}"
