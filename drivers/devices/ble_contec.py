"""
Contec's CMS50D-BT oximeter.

Source:  tobiasisenberg/OxiVis issue 2, with captures; Contec publishes nothing. That the last byte is the sum's low
         seven bits was found on the captures: every published frame fits.
Units:   percent; beats per minute.
Order:   EB 01, status, pulse, SpO2, 2 unknown, check; EB 00 and a piece of the wave, check
Quirks:  Status bit 1 is the finger: clear with a value shown in the one capture, so it lowers the quality and hides
         nothing. 127 stands for "none"; how a pulse above 127 is sent is not known.
"""

from drivers.checks import hold, sum7
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields
from drivers.oximetry import pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.reading import Frame, Sample, Signal

_START = 0xEB
_WAVE, _VALUES = 0x00, 0x01
_FINGER = 1 << 1
_NONE = 0x7F


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification of FF02; no sample for a piece of the wave."""
    whole = Fields(frame.payload)
    body = whole.take(max(whole.left() - 1, 2))
    check = whole.u8()
    fields = Fields(body)
    start, name = fields.u8(), fields.u8()
    if start != _START or name not in (_WAVE, _VALUES):
        raise UnknownLayout("A CMS50D-BT's frame begins with EB 00 or EB 01.")
    hold(check, sum7(body))
    if name == _WAVE:
        return ()
    status, pulse, saturation = fields.u8(), fields.u8(), fields.u8()
    fields.take(2)
    fields.end()
    has_finger = bool(status & _FINGER)
    return (
        Sample(
            observations=(spo2(saturation, 0, _NONE), pulse_rate(pulse, 0, _NONE)),
            status=() if has_finger else ("no_finger",),
            quality=Signal.OK if has_finger else Signal.CAUTION,
        ),
    )


DRIVER = Driver(
    name="ble-contec",
    version=1,
    link=Link.BLE,
    sources={"FF02": decode},
    models=("Contec CMS50D-BT",),
    reads=("spo2", "heart_rate"),
    grade=Grade.C,
    documented="tobiasisenberg/OxiVis issue 2, with captures",
)
