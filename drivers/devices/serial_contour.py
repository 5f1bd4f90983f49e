"""
Bayer and Ascensia Contour: the records of ASTM E1394 in the frames of E1381.

Source:  glucometers-tech/glucometerutils test_contourusb.py @9b87a5b854f5; glucodump's contourusb.py with its tests;
         tidepool-org/uploader bayerContour.js and bayerContourNext.js @3651507b0543
Line:    older meters 9600 8N1; Contour USB and Next are HID devices that carry the same frames
Units:   mg/dL or mmol/L, written beside the value
Time:    YYYYMMDDHHMM by the meter's clock, no zone; the header ends with that clock: `device_now`
Order:   STX, frame number, record, CR, ETB or ETX, two hex digits, CR LF; the digits are the sum from the frame number
         to ETB
         H delimiters, .., product ^ versions ^ serial, .., clock
         O number, .., Q for the control of a meter that marks it in the order
         R number, ^^^Glucose, value, unit ^ reference, .., marks, .., time
Sources: astm    newer meters: `<` and `>` out of range, A and B meals, C control, all in one field
         serial  older meters: `>` `<` T in one field, the meal in the next, E for control in the one after; the first
                 result is the meter's average and never a reading
Quirks:  A record without its frame is read too, without a check. P, reference plasma; B, whole blood; D is listed and
         not explained. In marks like ZC or M0 the letters mean something else: marks are compared whole. A number
         beside `<` or `>` is a limit, not a value. Marks of feeling or stress are about the person and are left in
         the frame.
Never:   commands that set date or time are not sent.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from drivers.checks import hold, sum8
from drivers.contract import Driver, Grade, Link
from drivers.fields import Stamp, civil
from drivers.framing import Framing, SerialLine, frames_in
from drivers.meters import CONTROL, MEALS, PLASMA, UNSTATED, WHOLE_BLOOD, glucose
from drivers.quantities import GLUCOSE_WORDS
from drivers.text_lines import ascii_text, clock_only, number, settled, stated_now
from gateway.core.errors import BadValue, Truncated, UnknownLayout
from gateway.core.observation import Absent, Kind, Observation, Why
from gateway.core.reading import Context, DeviceIdentity, Frame, Origin, Sample, SampleKind

_STX = b"\x02"
_FRAME_BYTES_MAX = 512
_FRAME = re.compile(rb"\x02(?P<checked>[0-7](?P<record>[^\x02\x03\x17]*?)\r?[\x03\x17])(?P<sum>[0-9A-Fa-f]{2})\r\n")
_NUMBERED = re.compile(r"[0-7]?(?P<record>[A-Z]\|.*)", re.DOTALL)
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})?")
_NAME = re.compile(r"[A-Za-z0-9-]{1,32}")
_REFERENCES = {"P": PLASMA, "B": WHOLE_BLOOD}
_WITHOUT_VALUES = frozenset("PCLMQ")
_BEYOND = {">": Why.ABOVE_RANGE, "<": Why.BELOW_RANGE}


def _cut(window: bytes) -> int:
    begin = window.find(_STX)
    if begin:
        return -begin if begin > 0 else -len(window)
    end = window.find(b"\n") + 1
    again = window.find(_STX, 1, end or len(window))
    if again > 0:
        return -again
    return end


_FRAMES = Framing(_cut, _FRAME_BYTES_MAX)

Marks = tuple[str, ...]
# The fields of a result -> range and meal marks, whether it is a control, and the time
Layout = Callable[[Sequence[str]], tuple[Marks, bool, str]]


def decode_astm(frame: Frame) -> tuple[Sample, ...]:
    """Every record of newer meters; raises BadChecksum, BadValue, Truncated or UnknownLayout."""
    return tuple(_samples(_records(frame.payload), _newer, has_average=False))


def decode_serial(frame: Frame) -> tuple[Sample, ...]:
    """Every record of older meters; raises like the other."""
    return tuple(_samples(_records(frame.payload), _older, has_average=True))


def _records(payload: bytes) -> list[str]:
    """The records of every whole frame; a record that stands without its frame; an edge cut off is left out."""
    if not payload.strip(b"\x04\x05\x06\x15\r\n"):
        raise Truncated("The frame holds no record.")
    if _STX not in payload:
        found = _NUMBERED.fullmatch(ascii_text(payload).strip("\r\n\x04\x05\x06"))
        if found is None:
            raise UnknownLayout("The frame is neither STX and a record nor a record alone.")
        return [found["record"]]
    whole = frames_in(payload, _FRAMES)
    if not whole:
        raise Truncated("The frame ends before its check.")
    return [_checked(one) for one in whole]


def _checked(raw: bytes) -> str:
    found = _FRAME.fullmatch(raw)
    if found is None:
        raise UnknownLayout("The frame is not a number, a record, its end and two check digits.")
    hold(int(found["sum"], 16), sum8(found["checked"]))
    return ascii_text(found["record"])


def _samples(records: list[str], layout: Layout, *, has_average: bool) -> Iterator[Sample]:
    device: DeviceIdentity | None = None
    is_control = False
    for record in records:
        fields = record.split("|")
        match fields[0]:
            case "H":
                header = _header(fields)
                device = header.device
                yield header
            case "O":
                is_control = fields[11:12] == ["Q"]
            case "R" if has_average and fields[1:2] == ["1"]:
                yield Sample(kind=SampleKind.STATUS, device=device, origin=Origin.STORED, status=("average",))
            case "R":
                yield _result(fields, layout, device, is_control=is_control)
                is_control = False
            case kind if kind not in _WITHOUT_VALUES:
                raise UnknownLayout("The record is of a type that no Contour sends.")


def _header(fields: list[str]) -> Sample:
    if len(fields) < 6:
        raise Truncated("The header ends before it names the meter.")
    stamp = _stamp(fields[-1])
    (clock,) = clock_only(stamp)
    return Sample(
        kind=SampleKind.STATUS, device=_device(fields[4]), status=clock.status, technical=stated_now(Stamp(stamp.time))
    )


def _device(text: str) -> DeviceIdentity | None:
    product, _, rest = text.partition("^")
    versions, _, rest = rest.partition("^")
    serial = rest.partition("^")[0]
    if not (_NAME.fullmatch(product) and _NAME.fullmatch(serial)):
        return None
    return DeviceIdentity(
        id=f"contour:{serial}",
        manufacturer="Ascensia",
        model=product,
        serial=serial,
        firmware=versions.partition("\\")[0] or None,
    )


def _newer(fields: Sequence[str]) -> tuple[Marks, bool, str]:
    marks = tuple(fields[6].split("/"))
    return marks, "C" in marks, fields[8]


def _older(fields: Sequence[str]) -> tuple[Marks, bool, str]:
    return (*fields[6].split("\\"), fields[7]), "E" in fields[8], fields[11]


def _result(fields: list[str], layout: Layout, device: DeviceIdentity | None, *, is_control: bool) -> Sample:
    try:
        marks, is_marked, time = layout(fields)
    except IndexError as error:
        raise Truncated("The result ends before its time.") from error
    if fields[2] != "^^^Glucose":
        raise UnknownLayout("The result is not of glucose.")
    control = is_control or is_marked
    stamp = _stamp(time)
    return settled(
        Sample(
            observations=(_observed(fields, marks, is_control=control),),
            device_time=stamp.time,
            origin=Origin.STORED,
            context=Context.CONTROL if control else Context.NORMAL,
            device=device,
            status=tuple(word for mark in marks for word in MEALS.get(mark, ())) + stamp.status,
        )
    )


def _observed(fields: list[str], marks: Marks, *, is_control: bool) -> Observation:
    unit, _, reference = fields[4].partition("^")
    kind: Kind = CONTROL if is_control else _REFERENCES.get(reference, UNSTATED)
    if unit not in GLUCOSE_WORDS:
        raise BadValue("The result's unit is neither mg/dL nor mmol/L.")
    value = number(fields[3])
    beyond = [_BEYOND[mark] for mark in marks if mark in _BEYOND]
    return Absent(kind, beyond[0]) if beyond else glucose(kind, value, GLUCOSE_WORDS[unit])


def _stamp(text: str) -> Stamp:
    found = _TIME.fullmatch(text)
    if found is None:
        raise BadValue("The record's time is not twelve digits.")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    return civil(year, month, day, hour, minute, second)


DRIVER = Driver(
    name="serial-contour",
    version=1,
    link=Link.SERIAL,
    sources={"astm": decode_astm, "serial": decode_serial},
    lines={"astm": SerialLine(9600, _FRAMES, names=True), "serial": SerialLine(9600, _FRAMES, names=True)},
    models=("Contour USB", "Contour Next USB", "Ascensia Contour", "Bayer Breeze"),
    reads=("glucose",),
    grade=Grade.A,
    documented="ASTM E1381 and E1394; glucometerutils, glucodump and tidepool-org/uploader with tests",
)
