"""
LifeSense's and Transtek's scales on service A602: Greater Goods 0220, Transtek BS-1711.

Source:  casebeer/lifesense-ble, with captures; the maker publishes nothing.
Units:   g.
Order:   10, 0E, 48, 02, 6 unknown, weight in grams (two bytes), time in seconds since 1970; high byte first
Quirks:  Two bytes hold 65 kg at most: this is known for a baby scale. The scale's clock is set by the hub and counts in
         UTC. It repeats a frame until it is answered with 00 01 01. Its other frames hold no weight.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, counted
from gateway.core.errors import UnknownLayout
from gateway.core.observation import GRAM, WEIGHT
from gateway.core.reading import Frame, Sample
from gateway.core.time import DeviceTime

_START = 0x10
_WEIGHT = 0x4802
# what it says at the start of a session, what it answers, and which unit its display was set to
_WITHOUT_VALUES = frozenset({0x0007, 0x0009, 0x1000, 0x2004})


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification of A621; no sample where it holds no weight."""
    fields = Fields(frame.payload)
    start, size, name = fields.u8(), fields.u8(), fields.u16be()
    if start != _START or size != fields.left() + 2:
        raise UnknownLayout("A frame of this scale begins with 10 and the number of bytes that follow.")
    if name in _WITHOUT_VALUES:
        return ()
    if name != _WEIGHT:
        raise UnknownLayout(f"What this scale says in frame {name:04X} is not known.")
    fields.take(6)
    weight = counted(WEIGHT, fields.u16be(), GRAM)
    seconds = fields.u32be()
    fields.end()
    time = DeviceTime.epoch_ms(seconds * 1000) if seconds else None
    return (Sample(observations=(weight,), device_time=time),)


DRIVER = Driver(
    name="ble-lifesense",
    version=1,
    link=Link.BLE,
    sources={"A621": decode},
    models=("Greater Goods 0220", "Transtek BS-1711"),
    reads=("weight",),
    grade=Grade.B,
    documented="casebeer/lifesense-ble, with captures",
)
