"""
Detecto apex and icon, the text they send over serial or Wi-Fi.

Source:  Detecto, note on the USB-B port of apex and icon, 2018-10-04; no measured line is public
Line:    the note states no speed: 9600 8N1 is assumed. The USB-B port itself speaks Welch Allyn's protocol, not this.
Units:   LB or KG, written beside the weight
Time:    none
Order:   S, status, weight, unit, height, body mass index
Quirks:  Status D is in motion, I over capacity, blank a settled weight; only a blank one is a reading. Height, and
         with it the index, may be typed in and is left in the frame.
Never:   nothing is sent to it.
"""

import re

from drivers.contract import Driver, Grade, Link
from drivers.framing import SerialLine, lines
from drivers.text_lines import each_line, number, settled
from gateway.core.errors import UnknownLayout
from gateway.core.observation import KG, POUND, WEIGHT, Absent, Measured, Observation, Unit, Why
from gateway.core.reading import Frame, Sample

_LINES = lines(rb"S[DI ] ", 64)
_LINE = re.compile(
    r"S(?P<status>[DI ]) +(?P<weight>[0-9]{1,4}\.[0-9])(?P<unit>LB|KG),[0-9]{1,3}\.[0-9],[0-9]{1,3}\.[0-9] *"
)
_UNITS: dict[str, Unit] = {"LB": POUND, "KG": KG}


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every line; one that is not settled gives no weight."""
    return each_line(frame.payload, _LINES, _line)


def _line(text: str) -> tuple[Sample, ...]:
    found = _LINE.fullmatch(text)
    if found is None:
        raise UnknownLayout("The line is not status, weight, height and index as Detecto writes them.")
    match found["status"]:
        case "D":
            sample = Sample(status=("in_motion",))
        case "I":
            sample = Sample(status=("over_capacity",))
        case _:
            sample = Sample(observations=(_weight(found["weight"], _UNITS[found["unit"]]),))
    return (settled(sample),)


def _weight(text: str, unit: Unit) -> Observation:
    value = number(text)
    return Measured(WEIGHT, value, unit) if value else Absent(WEIGHT, Why.NOT_AVAILABLE)


DRIVER = Driver(
    name="serial-detecto",
    version=1,
    link=Link.SERIAL,
    sources={"ascii": decode},
    lines={"ascii": SerialLine(9600, _LINES)},
    models=("Detecto apex", "Detecto icon"),
    reads=("weight",),
    grade=Grade.C,
    documented="Detecto's note on the USB-B port, 2018-10-04; no capture",
)
