"""The check bytes of the vendors' frames: each gives what the last byte of a frame must be."""

from functools import reduce
from operator import xor

from gateway.core.errors import BadChecksum


def sum8(body: bytes) -> int:
    """The sum of all bytes, its low eight bits (TaiDoc)."""
    return sum(body) & 0xFF


def sum7(body: bytes) -> int:
    """The sum of all bytes, its low seven bits: protocols where only a header has its top bit set (Beurer, Contec)."""
    return sum(body) & 0x7F


def xor8(body: bytes) -> int:
    """All bytes in exclusive or (Omron)."""
    return reduce(xor, body, 0)


def crc8(body: bytes) -> int:
    """CRC-8 with polynomial 07, start 0 (Masimo, Viatom)."""
    return reduce(lambda crc, byte: _CRC8[crc ^ byte], body, 0)


def crc8_maxim(body: bytes) -> int:
    """CRC-8/MAXIM: polynomial 31 with its bits reversed, start 0 (Viatom PC-60FW)."""
    return reduce(lambda crc, byte: _CRC8_MAXIM[crc ^ byte], body, 0)


def hold(stated: int, computed: int) -> None:
    """Raise BadChecksum unless the frame's own check holds."""
    if stated != computed:
        raise BadChecksum("The frame's check byte does not fit its content; it was damaged on the way.")


def _shifted_left(value: int) -> int:
    for _ in range(8):
        value = (value << 1) ^ (0x107 if value & 0x80 else 0)
    return value


def _shifted_right(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0x8C if value & 1 else 0)
    return value


_CRC8 = tuple(_shifted_left(value) for value in range(256))
_CRC8_MAXIM = tuple(_shifted_right(value) for value in range(256))
