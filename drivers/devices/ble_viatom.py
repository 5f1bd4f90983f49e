"""
Viatom's and Wellue's finger rings: O2Ring, Checkme O2, SleepO2, KidsO2.

Source:  home-health-hub/viatom-o2ring-ble and MackeyStingray/o2r, with captures; the maker publishes nothing.
Units:   percent; beats per minute; perfusion index in steps of 0.1 % (1B alone; 17 gives it without a stated step).
Order:   17  SpO2, pulse, five unknown, battery, charging, motion, perfusion, worn
         1B  SpO2, pulse (two bytes, low first), battery, charging, perfusion, worn, wave
Quirks:  These are the contents of the answers to commands 17 and 1B, taken from their frames by the link. Off the
         finger every byte of a value is FF; worn with 0 and 0 the ring is still finding the pulse. Both are polled.
         Commands 18 (factory settings) and 04 on other families erase or reset and are never sent.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields
from drivers.oximetry import either, pulse_rate, spo2
from gateway.core.observation import PERCENT, PERFUSION_INDEX, Observation
from gateway.core.reading import Frame, Sample

_NONE_8, _NONE_16 = 0xFF, 0xFFFF
_WORN = 1


def sensors(frame: Frame) -> tuple[Sample, ...]:
    """The content of an answer to command 17."""
    fields = Fields(frame.payload)
    seen = (spo2(fields.u8(), 0, _NONE_8), pulse_rate(fields.u8(), 0, _NONE_8))
    fields.take(5)
    battery, charging, motion, _perfusion, worn = (fields.u8() for _ in range(5))
    technical = (("battery_percent", str(battery)), ("charging", str(charging)), ("motion", str(motion)))
    return (_sample(seen, technical, is_worn=bool(worn)),)


def real_time(frame: Frame) -> tuple[Sample, ...]:
    """The content of an answer to command 1B; the wave after it is left in the frame."""
    fields = Fields(frame.payload)
    seen = (spo2(fields.u8(), 0, _NONE_8), pulse_rate(fields.u16le(), 0, _NONE_16))
    battery, charging = fields.u8(), fields.u8()
    perfusion = either(PERFUSION_INDEX, fields.u8(), (0, _NONE_8), PERCENT, "0.1")
    technical = (("battery_percent", str(battery)), ("charging", str(charging)))
    return (_sample((*seen, perfusion), technical, is_worn=fields.u8() == _WORN),)


def _sample(seen: tuple[Observation, ...], technical: tuple[tuple[str, str], ...], *, is_worn: bool) -> Sample:
    return Sample(observations=seen, status=() if is_worn else ("not_worn",), technical=technical)


DRIVER = Driver(
    name="ble-viatom",
    version=1,
    link=Link.BLE,
    sources={"17": sensors, "1B": real_time},
    models=("Viatom O2Ring", "Wellue O2Ring", "Viatom Checkme O2", "Wellue SleepU", "Wellue KidsO2"),
    reads=("spo2", "heart_rate"),
    grade=Grade.B,
    documented="home-health-hub/viatom-o2ring-ble and MackeyStingray/o2r, with captures",
)
