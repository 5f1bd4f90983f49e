"""
Viatom's and Wellue's PC-60FW and FS20F fingertip oximeters on the Nordic UART service.

Source:  README of pmenke-de/viatom_pc60fw with one example frame; the maker publishes nothing.
Units:   percent; beats per minute; perfusion index in steps of 0.1 %.
Order:   AA 55, family (0F or F0), length of what follows, kind, content, CRC-8/MAXIM of all before it
         kind 01  SpO2, pulse (two bytes, low first), perfusion index, 2 unknown
Quirks:  The README prints its frames without AA 55 and without the CRC; such a frame is read too. Other kinds hold the
         wave and what nobody knows yet.
"""

from drivers.checks import crc8_maxim, hold
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields
from drivers.oximetry import either, pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.observation import PERCENT, PERFUSION_INDEX
from gateway.core.reading import Frame, Sample

_SYNC = b"\xaa\x55"
_FAMILIES = (0x0F, 0xF0)
_VALUES = 0x01


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification; no sample where it holds no values."""
    content = _checked(frame.payload) if frame.payload.startswith(_SYNC) else _printed(frame.payload)
    if content.u8() != _VALUES:
        return ()
    seen = (
        spo2(content.u8(), 0, 127),
        pulse_rate(content.u16le(), 0),
        either(PERFUSION_INDEX, content.u8(), (0,), PERCENT, "0.1"),
    )
    return (Sample(observations=seen),)


def _checked(packet: bytes) -> Fields:
    fields = Fields(packet)
    fields.take(len(_SYNC))
    size = _size(fields)
    content = fields.take(size - 1)
    hold(fields.u8(), crc8_maxim(packet[:-1]))
    fields.end()
    return Fields(content)


def _printed(packet: bytes) -> Fields:
    fields = Fields(packet)
    content = fields.take(_size(fields) - 1)
    fields.end()
    return Fields(content)


def _size(fields: Fields) -> int:
    if fields.u8() not in _FAMILIES:
        raise UnknownLayout("A PC-60FW's frame begins with AA 55 and goes on with 0F or F0.")
    size = fields.u8()
    if not size:
        raise UnknownLayout("The frame says that nothing follows its length.")
    return size


DRIVER = Driver(
    name="ble-viatom-pc60fw",
    version=1,
    link=Link.BLE,
    sources={"NUS": decode},
    models=("Viatom PC-60FW", "Wellue FS20F"),
    reads=("spo2", "heart_rate"),
    grade=Grade.C,
    documented="pmenke-de/viatom_pc60fw, one example frame",
)
