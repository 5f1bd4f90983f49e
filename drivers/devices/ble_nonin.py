"""
Nonin 3230 and 3150 on Nonin's own service.

Source:  public clients that quote Nonin's document 113142-000-02; no measured frame is public, so the vectors are built
         from the layout. The 3230 has the Bluetooth SIG's oximeter service as well: driver ble-pulse-oximeter.
Units:   percent; beats per minute; pulse amplitude index in steps of 0.01 %; battery in tenths of a volt.
Order:   length with itself, status, battery, amplitude index, seconds since it was turned on, SpO2, pulse, reserved;
         high byte first
Quirks:  127 and 511 stand for "no value". The battery service always says 100, so the status bit is the one to trust.
         The seconds find gaps within a session and number nothing across sessions. SmartPoint set: the oximeter itself
         took the value for a good spot check.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, flags
from drivers.oximetry import either, pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.observation import PERCENT, PERFUSION_INDEX
from gateway.core.reading import Frame, Sample, Signal

_SIZE = 10
_NO_SATURATION, _NO_PULSE = 127, 511
_STATUS = (None, "weak_signal", "smartpoint", "searching", None, "battery_low", None)
_FINGER = 1 << 4
_CAUTION = 1 << 1 | 1 << 3


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification, once a second."""
    fields = Fields(frame.payload)
    size = fields.u8()
    if size < _SIZE:
        raise UnknownLayout(f"Nonin's oximetry frame has {_SIZE} bytes or more; this one says {size}.")
    status, battery = fields.u8(), fields.u8()
    index, seconds = fields.u16be(), fields.u16be()
    saturation, pulse = fields.u8(), fields.u16be()
    fields.take(size - _SIZE)  # reserved
    fields.end()
    has_finger = bool(status & _FINGER)
    no_index = () if has_finger else (0,)
    return (
        Sample(
            observations=(
                spo2(saturation, _NO_SATURATION),
                pulse_rate(pulse, _NO_PULSE),
                either(PERFUSION_INDEX, index, no_index, PERCENT, "0.01"),
            ),
            status=flags(status, _STATUS) + (() if has_finger else ("no_finger",)),
            quality=Signal.OK if has_finger and not status & _CAUTION else Signal.CAUTION,
            technical=(("battery_v", f"{battery // 10}.{battery % 10}"), ("seconds_on", str(seconds))),
        ),
    )


DRIVER = Driver(
    name="ble-nonin",
    version=1,
    link=Link.BLE,
    sources={"0AAD7EA0": decode},
    models=("Nonin 3230", "Nonin 3150"),
    reads=("spo2", "heart_rate"),
    grade=Grade.C,
    documented="clients that quote Nonin 113142-000-02 (Isansys, calebmgshort/Nonin3230Oximeter); no capture",
)
