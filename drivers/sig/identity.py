"""
Device Information (0x180A) and Battery (0x180F): what a device says of itself.

Source: Bluetooth SIG, Device Information Service 1.2, Battery Service 1.1, GATT Specification Supplement. Many devices
answer with placeholders ("0000..."), so nobody is told apart by these alone.
"""

from typing import NamedTuple

from drivers.fields import Fields

_LABEL, _DEVICE, _ISSUER, _AUTHORITY = (1 << bit for bit in range(4))


class Udi(NamedTuple):
    """Unique Device Identifier (0x2BFF); `device` is the UDI-DI."""

    label: str | None
    device: str | None
    issuer: str | None
    authority: str | None


class PnpId(NamedTuple):
    """PnP ID (0x2A50); `source` 1 is a Bluetooth company id, 2 a USB vendor id."""

    source: int
    vendor: int
    product: int
    version: int


def text(payload: bytes) -> str | None:
    """A name, serial or revision: UTF-8 without the zero bytes and blanks some devices add; None where empty."""
    return payload.decode("utf-8", errors="replace").rstrip("\0 ").strip() or None


def read_udi(payload: bytes) -> Udi:
    """Raises Truncated where a part that the flags promise has no end."""
    fields = Fields(payload)
    bits = fields.u8()
    label, device, issuer, authority = (
        fields.text() if bits & bit else None for bit in (_LABEL, _DEVICE, _ISSUER, _AUTHORITY)
    )
    return Udi(label, device, issuer, authority)


def read_pnp(payload: bytes) -> PnpId:
    """Raises Truncated."""
    fields = Fields(payload)
    return PnpId(fields.u8(), fields.u16le(), fields.u16le(), fields.u16le())


def read_battery(payload: bytes) -> int | None:
    """The charge in percent (0x2A19); None for what is no percentage, as 255 on devices that do not know."""
    level = Fields(payload).u8()
    return level if level <= 100 else None
