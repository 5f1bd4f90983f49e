"""
Viatom's and Wellue's PC-60FW and FS20F fingertip oximeters on the Nordic UART service.

Source:  pmenke-de/viatom_pc60fw with one example frame; kinds from viatomEcho/LepuBle, the maker's app.
Units:   percent; beats per minute; perfusion index in steps of 0.1 %.
Order:   AA 55, family (0F or F0), length of what follows, kind, content, CRC-8/MAXIM of all before it
         family 0F, kind 01: SpO2, pulse (two bytes, low first), perfusion index, 2 unknown
Quirks:  The README prints its frames without AA 55 and without the CRC; such a frame is read too. Other kinds hold the
         wave and the state of the device; family F0 is about the device and its battery.
"""

from drivers.checks import crc8_maxim, hold
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields
from drivers.oximetry import either, pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.observation import PERCENT, PERFUSION_INDEX
from gateway.core.reading import Frame, Sample

_SYNC = b"\xaa\x55"
_OXIMETER, _DEVICE = 0x0F, 0xF0
_VALUES = 0x01


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One whole packet; no sample where it holds no values."""
    fields = Fields(frame.payload)
    is_whole = frame.payload.startswith(_SYNC)
    if is_whole:
        fields.take(len(_SYNC))
    family, size = fields.u8(), fields.u8()
    if family not in (_OXIMETER, _DEVICE) or not size:
        raise UnknownLayout("A PC-60FW's packet is AA 55, then 0F or F0, then the number of bytes that follow.")
    content = Fields(fields.take(size - 1))
    if is_whole:
        hold(fields.u8(), crc8_maxim(frame.payload[:-1]))
    fields.end()
    if content.u8() != _VALUES or family != _OXIMETER:
        return ()
    return (_values(content),)


def _values(content: Fields) -> Sample:
    seen = (
        spo2(content.u8(), 0, 127),
        pulse_rate(content.u16le(), 0),
        either(PERFUSION_INDEX, content.u8(), (0,), PERCENT, "0.1"),
    )
    return Sample(observations=seen)


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
