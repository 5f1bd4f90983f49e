"""
Microlife's cuffs with Bluetooth: BP3GY1-2N, B6 Connect, BP3MW1.

Source:  joergmlpts/blood-pressure-monitor and derdilla/blood-pressure-monitor-fl; the maker publishes nothing.
Units:   mmHg; beats per minute.
Order:   systolic, diastolic, pulse, year - 2000, month, day, hour, minute, 2 unknown: one record of the memory dump,
         from its byte 38 on, ten bytes each
Quirks:  A slot never written is all zero and is refused, and so is one without a date: what is half written is no
         measurement.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, counted
from gateway.core.errors import UnknownLayout
from gateway.core.observation import DIASTOLIC, MMHG, PER_MINUTE, PULSE_RATE, SYSTOLIC
from gateway.core.reading import Frame, Origin, Sample
from gateway.core.time import DeviceTime


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One record of the cuff's memory."""
    fields = Fields(frame.payload)
    systolic, diastolic, pulse = fields.u8(), fields.u8(), fields.u8()
    year, month, day, hour, minute = (fields.u8() for _ in range(5))
    fields.take(2)
    fields.end()
    if not (systolic or diastolic or pulse):
        raise UnknownLayout("This slot of the cuff's memory is empty.")
    return (
        Sample(
            observations=(
                counted(SYSTOLIC, systolic, MMHG),
                counted(DIASTOLIC, diastolic, MMHG),
                counted(PULSE_RATE, pulse, PER_MINUTE),
            ),
            device_time=DeviceTime.civil(2000 + year, month, day, hour, minute),
            origin=Origin.STORED,
        ),
    )


DRIVER = Driver(
    name="ble-microlife",
    version=1,
    link=Link.BLE,
    sources={"record": decode},
    models=("Microlife BP3GY1-2N", "Microlife B6 Connect", "Microlife BP3MW1-4Y"),
    reads=("blood_pressure", "heart_rate"),
    grade=Grade.B,
    documented="joergmlpts/blood-pressure-monitor and derdilla/blood-pressure-monitor-fl",
)
