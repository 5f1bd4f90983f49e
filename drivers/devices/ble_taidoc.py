"""
TaiDoc's and FORA's oximeters and thermometers on the Nordic-style service 1523.

Source:  chanwunkong/pico-vitals-gateway, checked against the displays of a FORA O2 and a FORA IR42; open clients;
         TaiDoc's TICD as quoted there.
Units:   percent; beats per minute; degrees Celsius in steps of 0.1, or of 0.01 where the number is 1000 or more.
Order:   51, command, four bytes, A5 from the device or A3 from the host, sum of the seven
         26  the latest value: SpO2, 0, -, pulse; or the temperature, low byte first
         61  a live value (TD-8255): SpO2, -, pulse, -
Quirks:  Answer 26 does not say what was measured. Oximeter and thermometer cannot be taken for one another, but a
         glucose meter's answer looks like either: never enrol a meter or a cuff with this driver. Command 43 (cuffs) is
         refused: two public clients place the systolic pressure in different bytes. Command 52 erases the memory and is
         never sent.
"""

from drivers.checks import hold, sum8
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, counted
from drivers.oximetry import pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.observation import CELSIUS, TEMPERATURE, Observation
from gateway.core.reading import Frame, Sample

_START, _FROM_HOST, _FROM_DEVICE = 0x51, 0xA3, 0xA5
_LATEST, _LIVE = 0x26, 0x61
# clock, model, first half of a record, serial number, count, notices and switching off
_WITHOUT_VALUES = frozenset({0x23, 0x24, 0x25, 0x27, 0x28, 0x2B, 0x33, 0x41, 0x50, 0x54})
_SATURATION_MAX = 100
# What a thermometer's two bytes can be: 20 to 50 degrees, in tenths or hundredths.
_TENTHS, _HUNDREDTHS = range(200, 500), range(2000, 5000)


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One frame of eight bytes; no sample where it holds no value."""
    whole = Fields(frame.payload)
    body = whole.take(7)
    hold(whole.u8(), sum8(body))
    whole.end()
    fields = Fields(body)
    start, command, content, end = fields.u8(), fields.u8(), fields.take(4), fields.u8()
    if start != _START or end not in (_FROM_HOST, _FROM_DEVICE):
        raise UnknownLayout("A TaiDoc frame begins with 51 and ends with A3 or A5 before its check.")
    if command == _LIVE:
        return (_live(Fields(content)),)
    if command == _LATEST and end == _FROM_DEVICE:
        return (_latest(Fields(content)),)
    if command in _WITHOUT_VALUES or command == _LATEST:
        return ()
    raise UnknownLayout(f"What a TaiDoc device answers to command {command:02X} is not known for certain.")


def _latest(fields: Fields) -> Sample:
    raw = fields.u16le()
    fields.u8()
    pulse = fields.u8()
    if raw <= _SATURATION_MAX:
        return Sample(observations=(spo2(raw, 0), pulse_rate(pulse, 0)))
    return Sample(observations=(_temperature(raw),))


def _temperature(raw: int) -> Observation:
    if raw in _TENTHS:
        return counted(TEMPERATURE, raw, CELSIUS, "0.1")
    if raw in _HUNDREDTHS:
        return counted(TEMPERATURE, raw, CELSIUS, "0.01")
    raise UnknownLayout("The latest value is neither a saturation nor a body temperature; enrol another driver.")


def _live(fields: Fields) -> Sample:
    saturation, _, pulse, _ = fields.u8(), fields.u8(), fields.u8(), fields.u8()
    no_finger = not (saturation or pulse)
    return Sample(
        observations=(spo2(saturation, 0), pulse_rate(pulse, 0)),
        status=("no_finger",) if no_finger else (),
    )


DRIVER = Driver(
    name="ble-taidoc",
    version=1,
    link=Link.BLE,
    sources={"1524": decode},
    models=("FORA O2", "FORA IR42", "TaiDoc TD-8255"),
    reads=("spo2", "heart_rate", "temperature"),
    grade=Grade.B,
    documented="chanwunkong/pico-vitals-gateway, checked against displays; open clients",
)
