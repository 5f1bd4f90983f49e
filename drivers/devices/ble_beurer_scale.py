"""
Beurer's older Bluetooth scales: BF700, BF710, BF800 and their Sanitas and Silvercrest sisters.

Source:  openScale, with a capture of a BF800 in its issue 1500; Beurer publishes nothing on these models.
Units:   kg in steps of 0.05.
Order:   F7 or E7, 58, 01 while the value moves or 00, weight high byte first
Quirks:  Until the value stands still it is a status, not a reading. The newer BF105, BF720 and BF600 speak the
         Bluetooth SIG's services. A finished weighing with its body composition comes in several frames
         (59), which nobody has published with their meaning: they are refused and kept.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, counted
from gateway.core.errors import UnknownLayout
from gateway.core.observation import KG, WEIGHT
from gateway.core.reading import Frame, Sample, SampleKind, Signal

_STARTS = (0xE7, 0xF7)
_LIVE = 0x58
_MOVING = 1


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification of FFE1: the weight as the display shows it."""
    fields = Fields(frame.payload)
    if fields.u8() not in _STARTS or fields.u8() != _LIVE:
        raise UnknownLayout("Only the live weight of this scale is known: F7 58 or E7 58.")
    state = fields.u8()
    weight = counted(WEIGHT, fields.u16be(), KG, "0.05")
    fields.end()
    if state == _MOVING:
        return (Sample(observations=(weight,), kind=SampleKind.STATUS, status=("not_stable",), quality=Signal.CAUTION),)
    return (Sample(observations=(weight,)),)


DRIVER = Driver(
    name="ble-beurer-scale",
    version=1,
    link=Link.BLE,
    sources={"FFE1": decode},
    models=("Beurer BF700", "Beurer BF710", "Beurer BF800", "Sanitas SBF70", "Silvercrest SBF75"),
    reads=("weight",),
    grade=Grade.C,
    documented="oliexdev/openScale, with a capture in its issue 1500",
)
