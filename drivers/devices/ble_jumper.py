"""
Jumper's JPD-500F oximeters.

Source:  open clients alone; the maker publishes nothing and no capture is public: the vectors are built from the
         layout.
Units:   percent; beats per minute; perfusion index in steps of 0.1 %.
Order:   81, pulse, SpO2, perfusion index; or 80 and a piece of the wave
Quirks:  255, 127 and 0 stand for "none". Jumper's thermometers and Yonker's cuffs use the same characteristic with
         other bytes: the device is known by its name.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields
from drivers.oximetry import either, pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.observation import PERCENT, PERFUSION_INDEX
from gateway.core.reading import Frame, Sample

_WAVE, _VALUES = 0x80, 0x81


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification; no sample for a piece of the wave."""
    fields = Fields(frame.payload)
    name = fields.u8()
    if name == _WAVE:
        return ()
    if name != _VALUES:
        raise UnknownLayout(f"An oximeter of Jumper's begins a frame with 80 or 81, not {name:02X}.")
    pulse, saturation, index = fields.u8(), fields.u8(), fields.u8()
    fields.end()
    seen = (
        spo2(saturation, 0, 127),
        pulse_rate(pulse, 0, 255),
        either(PERFUSION_INDEX, index, (0,), PERCENT, "0.1"),
    )
    return (Sample(observations=seen),)


DRIVER = Driver(
    name="ble-jumper",
    version=1,
    link=Link.BLE,
    sources={"CDEACB81": decode},
    models=("Jumper JPD-500F",),
    reads=("spo2", "heart_rate"),
    grade=Grade.C,
    documented="open clients; no document, no capture",
)
