"""
Yonker's cuffs YK-IBPA1 and BPW5.

Source:  derdilla/blood-pressure-monitor-fl, with a capture; the maker publishes nothing.
Units:   mmHg; beats per minute.
Order:   81, systolic, diastolic, pulse, 2 unknown, day, month, year - 2000, hour, minute, 4 unknown
Quirks:  The clock is not to be relied upon: the client that found the layout ignores it. Jumper's oximeters and
         thermometers use the same characteristic: the device is known by its name.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, civil, counted
from gateway.core.errors import UnknownLayout
from gateway.core.observation import DIASTOLIC, MMHG, PER_MINUTE, PULSE_RATE, SYSTOLIC
from gateway.core.reading import Frame, Sample

_START = 0x81


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification: a finished measurement."""
    fields = Fields(frame.payload)
    if fields.u8() != _START:
        raise UnknownLayout("A measurement of Yonker's begins with 81.")
    seen = (
        counted(SYSTOLIC, fields.u8(), MMHG),
        counted(DIASTOLIC, fields.u8(), MMHG),
        counted(PULSE_RATE, fields.u8(), PER_MINUTE),
    )
    fields.take(2)
    day, month, year, hour, minute = (fields.u8() for _ in range(5))
    fields.take(4)
    fields.end()
    stamp = civil(2000 + year, month, day, hour, minute)
    return (Sample(observations=seen, device_time=stamp.time, status=stamp.status),)


DRIVER = Driver(
    name="ble-yonker",
    version=1,
    link=Link.BLE,
    sources={"CDEACD81": decode},
    models=("Yonker YK-IBPA1", "Yonker BPW5"),
    reads=("blood_pressure", "heart_rate"),
    grade=Grade.B,
    documented="derdilla/blood-pressure-monitor-fl, with a capture",
)
