"""
Masimo Rad-8 and Radical-7, ASCII 1 output and trend download.

Source:  yahnatan/pulseox @88057024b1fb and remkolems/masimo-datacapture @5739b3e9543b, with captures; the Rad-8
         Operator's Manual, page 4-24
Line:    9600 8N1, one line a second. The port must be set to ASCII 1: ASCII 2 is the default on some units.
Units:   percent; beats per minute; perfusion index in percent, whether or not the line has the sign
Time:    MM/DD/YY HH:MM:SS by the device's clock, which a person sets and which drifts; no zone. A live line is a
         reading of that clock: `device_now`.
Quirks:  Fields differ by model and licence, so they are read by name. Trend lines say SpO2 and PR where live lines
         say SPO2 and BPM: they are memory. Dashes, and 000 even with a clean EXC, are no reading. EXC is the device's
         own word on the signal; 800 (Masimo SET in use) is no fault. ALARM's bits are Masimo's own and are not read,
         nor are carbon monoxide, methaemoglobin, haemoglobin and pleth variability, which the captures only show as
         dashes.
Never:   sends on its own; nothing is sent to it.
"""

import re

from drivers.contract import Driver, Grade, Link
from drivers.fields import Stamp, civil, flags
from drivers.framing import SerialLine, lines
from drivers.text_lines import each_line, number, settled, stated_now, year
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import (
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    PERFUSION_INDEX,
    SPO2,
    Absent,
    Kind,
    Measured,
    Observation,
    Unit,
    Why,
)
from gateway.core.reading import DeviceIdentity, Frame, Origin, Sample, Signal

_LINES = lines(rb"[0-9]{2}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} ")
_LINE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) (.+?) *")
_FIELD = re.compile(r"([A-Za-z0-9]+)=(\S*)")
_DASHES = re.compile(r"[+-]?-[-.]*%?")
_EXCEPTIONS = (
    "no_sensor",
    "sensor_defective",
    "low_perfusion",
    "pulse_search",
    "interference",
    "sensor_off",
    "ambient_light",
    "sensor_unrecognised",
    None,
    None,
    "low_signal_iq",
    "masimo_set",
)
_NO_SIGNAL = 0x001 | 0x002 | 0x020
_NO_FAULT = 0x800
_LIVE: tuple[tuple[str, Kind, Unit], ...] = (
    ("SPO2", SPO2, PERCENT),
    ("BPM", OXIMETER_PULSE_RATE, PER_MINUTE),
    ("PI", PERFUSION_INDEX, PERCENT),
)
_TREND: tuple[tuple[str, Kind, Unit], ...] = (
    ("SpO2", SPO2, PERCENT),
    ("PR", OXIMETER_PULSE_RATE, PER_MINUTE),
    ("PI", PERFUSION_INDEX, PERCENT),
)


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every line; raises UnknownLayout or BadValue for one that Masimo does not send."""
    return each_line(frame.payload, _LINES, _line)


def _line(text: str) -> tuple[Sample, ...]:
    found = _LINE.fullmatch(text)
    if found is None:
        raise UnknownLayout("The line does not begin with a date and a time as Masimo's do.")
    month, day, short, hour, minute, second, rest = found.groups()
    fields = _fields(rest)
    is_trend = "SpO2" in fields
    rows = _TREND if is_trend else _LIVE
    if any(name not in fields for name in ("EXC", *(name for name, _, _ in rows))):
        raise UnknownLayout("The line lacks a field that every Masimo line has; set the port to ASCII 1.")
    stamp = civil(year(short), int(month), int(day), int(hour), int(minute), int(second))
    exceptions = _exceptions(fields["EXC"])
    sample = Sample(
        observations=tuple(_observed(fields[name], kind, unit) for name, kind, unit in rows),
        device_time=stamp.time,
        origin=Origin.STORED if is_trend else Origin.LIVE,
        device=_device(fields.get("SN", "-")),
        status=flags(exceptions, _EXCEPTIONS) + stamp.status,
        quality=_quality(exceptions),
        technical=() if is_trend else stated_now(Stamp(stamp.time)),
    )
    return (settled(sample),)


def _fields(text: str) -> dict[str, str]:
    pieces = [_FIELD.fullmatch(piece) for piece in text.split()]
    found = {piece[1]: piece[2] for piece in pieces if piece}
    if len(found) != len(pieces):
        raise UnknownLayout("The line is not made of fields with names, each once.")
    return found


def _observed(text: str, kind: Kind, unit: Unit) -> Observation:
    if _DASHES.fullmatch(text):
        return Absent(kind, Why.NOT_AVAILABLE)
    value = number(text.removesuffix("%"))
    if value < 0 or (unit == PERCENT and value > 100):
        raise BadValue("A number of the line is none an oximeter can mean.")
    return Measured(kind, value, unit) if value else Absent(kind, Why.NOT_AVAILABLE)


def _exceptions(text: str) -> int:
    digits = text.partition(":")[0]
    if not re.fullmatch(r"[0-9A-Fa-f]{1,8}", digits):
        raise BadValue("EXC is not written in hex digits.")
    return int(digits, 16)


def _quality(exceptions: int) -> Signal:
    if exceptions & _NO_SIGNAL:
        return Signal.INVALID
    return Signal.CAUTION if exceptions & ~_NO_FAULT else Signal.OK


def _device(number_: str) -> DeviceIdentity | None:
    """The device by its serial number; dashes on units that do not tell it."""
    if not re.fullmatch(r"[0-9A-Za-z]{1,20}", number_):
        return None
    return DeviceIdentity(id=f"masimo:{number_}", manufacturer="Masimo", serial=number_)


DRIVER = Driver(
    name="serial-masimo",
    version=1,
    link=Link.SERIAL,
    sources={"ascii1": decode},
    lines={"ascii1": SerialLine(9600, _LINES, streams=True, names=True)},
    models=("Masimo Rad-8", "Masimo Radical-7"),
    reads=("spo2", "heart_rate"),
    grade=Grade.A,
    documented="Rad-8 Operator's Manual, page 4-24; captures in two open clients",
)
