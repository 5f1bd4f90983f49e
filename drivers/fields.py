"""
A cursor over a binary frame: fields in wire order, each whole or Truncated.

No decoder indexes bytes, computes offsets or checks lengths; native-endian reads cannot be written. Numbers of IEEE
11073-20601 come as Decimal, exactly; their special patterns come as Why.
"""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

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
# A clinic's devices repeat a few hundred values, and a value is frozen: one object serves every frame. About 1 MB full.
_VALUES_KEPT = 4096


class Stamp(NamedTuple):
    """A device's clock as a frame gives it: None where it was never set; `status` says where it is no date at all."""

    time: DeviceTime | None = None
    status: tuple[str, ...] = ()


UNSTAMPED = Stamp()
BROKEN_CLOCK = Stamp(None, ("device_time_invalid",))


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
            raise self._short(end)
        piece = self._frame[self._at : end]
        self._at = end
        return piece

    def u8(self) -> int:
        """One byte, 0 to 255."""
        at = self._at
        try:
            value = self._frame[at]
        except IndexError:
            raise self._short(at + 1) from None
        self._at = at + 1
        return value

    def s8(self) -> int:
        """One byte, -128 to 127."""
        return int.from_bytes(self.take(1), "little", signed=True)

    def u16le(self) -> int:
        """Two bytes, low byte first."""
        at = self._at
        try:
            value = self._frame[at] | self._frame[at + 1] << 8
        except IndexError:
            raise self._short(at + 2) from None
        self._at = at + 2
        return value

    def u16be(self) -> int:
        """Two bytes, high byte first."""
        return int.from_bytes(self.take(2), "big")

    def s16le(self) -> int:
        """Two bytes, low byte first, signed."""
        value = self.u16le()
        return value - 0x10000 if value & 0x8000 else value

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
        return _sfloat(self.u16le())

    def float32(self) -> Decimal | Why:
        """IEEE 11073 FLOAT: 24-bit mantissa, 8-bit exponent, both two's complement."""
        return _float32(self.u32le())

    def sfloat_of(self, kind: Kind, unit: Unit) -> Observation:
        """An SFLOAT as what was seen of `kind`."""
        return sfloat_seen(kind, self.u16le(), unit)

    def sfloat_be_of(self, kind: Kind, unit: Unit) -> Observation:
        """As `sfloat_of`, high byte first: no SIG service has it, some cuffs do."""
        return sfloat_seen(kind, self.u16be(), unit)

    def date_time(self) -> Stamp:
        """GATT Date Time (0x2A08): year, month, day, hour, minute, second in 7 bytes, no zone."""
        year = self.u16le()
        month, day, hour, minute, second = self.take(5)
        return civil(year, month, day, hour, minute, second)

    def text(self) -> str:
        """UTF-8 up to a zero byte, which is read too; raises Truncated without one, BadValue for what is no text."""
        raw = self._frame[self._at :].partition(b"\0")[0]
        self.take(len(raw) + 1)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadValue("The frame's text is not UTF-8.") from error

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

    def _short(self, end: int) -> Truncated:
        return Truncated(f"The frame ends after {len(self._frame)} bytes; at least {end} were expected.")


def civil(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> Stamp:
    """
    A device's civil time.

    Year, month or day 0 is "not known" (GSS, Date Time). A date that does not exist (month 13) never costs the
    reading beside it: the time is left out and the status says why.
    """
    if not (year and month and day):
        return UNSTAMPED
    try:
        return Stamp(DeviceTime.civil(year, month, day, hour, minute, second))
    except BadValue:
        return BROKEN_CLOCK


def observe(kind: Kind, value: Decimal | Why, unit: Unit) -> Observation:
    """A value as Measured, a special as Absent."""
    return Absent(kind, value) if isinstance(value, Why) else Measured(kind, value, unit)


@lru_cache(maxsize=_VALUES_KEPT)
def sfloat_seen(kind: Kind, raw: int, unit: Unit) -> Observation:
    """The 16 bits of an SFLOAT as what was seen of `kind`, where a later field says what it is."""
    return observe(kind, _sfloat(raw), unit)


@lru_cache(maxsize=_VALUES_KEPT)
def float32_seen(kind: Kind, raw: int, unit: Unit) -> Observation:
    """The 32 bits of a FLOAT as what was seen of `kind`; raises BadValue for a number no device can mean."""
    return observe(kind, _float32(raw), unit)


@lru_cache(maxsize=_VALUES_KEPT)
def counted(kind: Kind, raw: int, unit: Unit, scale: str = "1") -> Measured:
    """An integer in steps of `scale`, exactly: 14000 in steps of "0.005" is 70.000."""
    return Measured(kind, step(raw, scale), unit)


def step(raw: int, scale: str) -> Decimal:
    """An integer in steps of `scale` as a number."""
    return raw * Decimal(scale)


@lru_cache(maxsize=_VALUES_KEPT)
def flags(value: int, names: tuple[str | None, ...]) -> tuple[str, ...]:
    """The names of the set bits, lowest first; bits without a name are reserved and ignored."""
    return tuple(name for bit, name in enumerate(names) if name and value >> bit & 1)


def from_hex(text: str) -> bytes:
    """Bytes from hex text with or without spaces; raises BadValue."""
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BadValue("The frame is not written in hex digits.") from error


def _sfloat(raw: int) -> Decimal | Why:
    return _SFLOAT_SPECIAL.get(raw) or _scaled(raw & 0x0FFF, 12, raw >> 12, 4)


def _float32(raw: int) -> Decimal | Why:
    return _FLOAT_SPECIAL.get(raw) or _scaled(raw & 0x00FFFFFF, 24, raw >> 24, 8)


def _scaled(mantissa: int, mantissa_bits: int, exponent: int, exponent_bits: int) -> Decimal:
    if mantissa >> (mantissa_bits - 1):
        mantissa -= 1 << mantissa_bits
    if exponent >> (exponent_bits - 1):
        exponent -= 1 << exponent_bits
    return Decimal(mantissa).scaleb(exponent)
