"""
Beurer cuffs that use the Blood Pressure Service's characteristic and not its layout.

Source:  two captures and the list of models in derdilla/blood-pressure-monitor-fl; no document of Beurer's on these
         models is public. Which model has the layout is known by its name alone.
Units:   mmHg or kPa as the flags say (only mmHg was seen); pulse in beats per minute.
Order:   flags, systolic, diastolic, mean, [time], [pulse], user, [status]
Quirks:  Flags 56: no user bit, yet the user byte is there. Pulse and status come high byte first, all else low byte
         first. The mean is always 0. The cuff stays silent unless some 100 ms pass before notifications are enabled.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields
from drivers.sig.blood_pressure import (
    HAS_PULSE,
    HAS_STATUS,
    HAS_TIME,
    Finding,
    pressure_unit,
    pressures,
    sample,
)
from gateway.core.observation import PER_MINUTE, PULSE_RATE
from gateway.core.reading import Frame, Sample


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2A35 in Beurer's own layout."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    seen = pressures(fields, pressure_unit(bits))
    stamp = fields.date_time() if bits & HAS_TIME else UNSTAMPED
    pulse = (fields.sfloat_be_of(PULSE_RATE, PER_MINUTE),) if bits & HAS_PULSE else ()
    user = fields.u8()
    status = fields.u16be() if bits & HAS_STATUS else 0
    fields.end()
    return (sample(seen, Finding(stamp, pulse, user, status)),)


DRIVER = Driver(
    name="ble-beurer-bm85",
    version=1,
    link=Link.BLE,
    sources={"2A35": decode},
    models=("Beurer BM85", "Beurer BM48", "Beurer BM59", "ELITE 900"),
    reads=("blood_pressure", "heart_rate"),
    grade=Grade.B,
    documented="derdilla/blood-pressure-monitor-fl, with captures",
)
