"""
Tanita BD-815U baby scale.

Source:  the scale's manual, page 12
Line:    9600 8N1, no flow control; sent once, whether or not anyone listens
Units:   grams
Time:    none
Order:   {0,16,~0,1,MO,"model",Wg,weight; the weight-gain key adds Gg and Rg, the recall key sends Rg alone
Quirks:  Rg is a weight from memory without its date: an old one, and no measurement. Gg is a difference to it.
Never:   nothing is sent to it.
"""

import re

from drivers.contract import Driver, Grade, Link
from drivers.fields import counted
from drivers.framing import SerialLine, lines
from drivers.text_lines import each_line, settled
from gateway.core.errors import UnknownLayout
from gateway.core.observation import GRAM, WEIGHT, Absent, Observation, Why
from gateway.core.reading import Frame, Sample

_LINES = lines(rb"\{0,16,[^{\n]*|[WGR]g,[^{\n]*", 96)
_LINE = re.compile(r'(?:\{0,16,~0,1,MO,"[A-Z0-9-]{1,16}",)?(?P<fields>[WGR]g,-?[0-9]{1,6}(?:,[WGR]g,-?[0-9]{1,6})*)\}?')


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every line; none from memory."""
    return each_line(frame.payload, _LINES, _line)


def _line(text: str) -> tuple[Sample, ...]:
    found = _LINE.fullmatch(text)
    if found is None:
        raise UnknownLayout("The line is not model, name and weight as the BD-815U sends them.")
    pieces = found["fields"].split(",")
    weights = [text for name, text in zip(pieces[::2], pieces[1::2], strict=True) if name == "Wg"]
    return tuple(settled(Sample(observations=(_weight(int(text)),))) for text in weights)


def _weight(grams: int) -> Observation:
    return counted(WEIGHT, grams, GRAM) if grams > 0 else Absent(WEIGHT, Why.NOT_AVAILABLE)


DRIVER = Driver(
    name="serial-tanita",
    version=1,
    link=Link.SERIAL,
    sources={"bd815u": decode},
    lines={"bd815u": SerialLine(9600, _LINES)},
    models=("Tanita BD-815U",),
    reads=("weight",),
    grade=Grade.A,
    documented="the BD-815U's manual, page 12",
)
