"""
A cursor over a binary frame: fields in wire order, each whole or Truncated.

No decoder indexes bytes, computes offsets or checks lengths; native-endian reads cannot be written. Numbers of IEEE
11073-20601 come as Decimal, exactly; their special patterns come as Why.
"""

from decimal import Decimal

from gateway.core.errors import BadValue, Leftover, Truncated
from gateway.core.observation import Absent, Kind, Measured, Observation, Unit, Why
from gateway.core.time import DeviceTime

# IEEE 11073-20601 7.4.4: whole patterns, compared before the number is split.
_SFLOAT_SPECIAL = {
    0x07FF: Why.NOT_AVAILABLE,
    0x0800: Why.NOT_AT_RESOLUTION,
    0x07FE: Why.ABOVE_RANGE,
    0x0802: Why.BELOW_RANGE,
    0x0801: Why.RESERVED,
}
_FLOAT_SPECIAL = {
    0x007FFFFF: Why.NOT_AVAILABLE,
    0x00800000: Why.NOT_AT_RESOLUTION,
    0x007FFFFE: Why.ABOVE_RANGE,
    0x00800002: Why.BELOW_RANGE,
    0x00800001: Why.RESERVED,
}


class Fields:
    """Reads a frame from its first byte to its last."""

    __slots__ = ("_at", "_frame")

    def __init__(self, frame: bytes) -> None:
        self._frame = frame
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes; raises Truncated."""
        end = self._at + size
        if end > len(self._frame):
            raise Truncated(f"The frame ends after {len(self._frame)} bytes; at least {end} were expected.")
        piece = self._frame[self._at : end]
        self._at = end
        return piece

    def u8(self) -> int:
        """One byte, 0 to 255."""
        return self.take(1)[0]

    def s8(self) -> int:
        """One byte, -128 to 127."""
        return int.from_bytes(self.take(1), "little", signed=True)

    def u16le(self) -> int:
        """Two bytes, low byte first."""
        return int.from_bytes(self.take(2), "little")

    def u16be(self) -> int:
        """Two bytes, high byte first."""
        return int.from_bytes(self.take(2), "big")

    def s16le(self) -> int:
        """Two bytes, low byte first, signed."""
        return int.from_bytes(self.take(2), "little", signed=True)

    def u24le(self) -> int:
        """Three bytes, low byte first."""
        return int.from_bytes(self.take(3), "little")

    def u32le(self) -> int:
        """Four bytes, low byte first."""
        return int.from_bytes(self.take(4), "little")

    def u32be(self) -> int:
        """Four bytes, high byte first."""
        return int.from_bytes(self.take(4), "big")

    def sfloat(self) -> Decimal | Why:
        """IEEE 11073 SFLOAT: 12-bit mantissa, 4-bit exponent, both two's complement."""
        raw = self.u16le()
        if raw in _SFLOAT_SPECIAL:
            return _SFLOAT_SPECIAL[raw]
        return _scaled(raw & 0x0FFF, 12, raw >> 12, 4)

    def float32(self) -> Decimal | Why:
        """IEEE 11073 FLOAT: 24-bit mantissa, 8-bit exponent, both two's complement."""
        raw = self.u32le()
        if raw in _FLOAT_SPECIAL:
            return _FLOAT_SPECIAL[raw]
        return _scaled(raw & 0x00FFFFFF, 24, raw >> 24, 8)

    def date_time(self) -> DeviceTime | None:
        """
        GATT Date Time (0x2A08): year, month, day, hour, minute, second in 7 bytes, no zone.

        None where year, month or day is 0, which the GSS defines as "not known". Raises BadValue for no date.
        """
        year = self.u16le()
        month, day, hour, minute, second = self.take(5)
        if 0 in (year, month, day):
            return None
        return DeviceTime.civil(year, month, day, hour, minute, second)

    def left(self) -> int:
        """How many bytes follow."""
        return len(self._frame) - self._at

    def rest(self) -> bytes:
        """Every byte that follows, possibly none: what a SIG service tells a collector to ignore."""
        return self.take(self.left())

    def end(self) -> None:
        """Raise Leftover unless every byte was read."""
        if self.left():
            raise Leftover(f"{self.left()} bytes follow the last field of the frame.")


def observe(kind: Kind, value: Decimal | Why, unit: Unit) -> Observation:
    """A value as Measured, a special as Absent."""
    return Absent(kind, value) if isinstance(value, Why) else Measured(kind, value, unit)


def step(raw: int, scale: str) -> Decimal:
    """An integer in steps of `scale`, exactly: 14000 in steps of "0.005" is 70.000."""
    return raw * Decimal(scale)


def flags(value: int, names: tuple[str | None, ...]) -> tuple[str, ...]:
    """The names of the set bits, lowest first; bits without a name are reserved and ignored."""
    return tuple(name for bit, name in enumerate(names) if name and value >> bit & 1)


def from_hex(text: str) -> bytes:
    """Bytes from hex text with or without spaces; raises BadValue."""
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BadValue("The frame is not written in hex digits.") from error


def _scaled(mantissa: int, mantissa_bits: int, exponent: int, exponent_bits: int) -> Decimal:
    if mantissa >> (mantissa_bits - 1):
        mantissa -= 1 << mantissa_bits
    if exponent >> (exponent_bits - 1):
        exponent -= 1 << exponent_bits
    return Decimal(mantissa).scaleb(exponent)
