"""
LifeScan OneTouch Ultra2.

Source:  glucometers-tech/glucometerutils otultra2.py and its tests @9b87a5b854f5; tidepool-org/uploader
         oneTouchUltra2.js, with captured lines
Line:    9600 8N1
Units:   mg/dL always, whatever the display shows
Time:    MM/DD/YY HH:MM:SS by the meter's clock, no zone; the answer to DMF is that clock: `device_now`
Order:   every line ends with a space and four hex digits, the sum of the bytes before them:
         P count, serial number, display unit            the head of a dump
         P day, date, time, value, meal, comment, 00     a record; `C` before the value is a control solution
         F day, date, time                               the clock
         @ serial number, ? version, S setting           answers without a value
Quirks:  A serial number ends with Y, or it is no Ultra2. `?` after a value is the meter's own parity error. The meter
         measures 20 to 600 mg/dL: a number beyond is its way to write LO and HI. A comment (illness, menses) is about
         the person and is left in the frame. A dump names the meter in its first line alone.
Never:   DMZ erases the memory and DMT sets the clock: neither is sent.
"""

import re

from drivers.checks import hold
from drivers.contract import Driver, Grade, Link
from drivers.fields import Stamp, civil
from drivers.framing import SerialLine, lines
from drivers.meters import CONTROL, MEALS, UNSTATED, glucose
from drivers.text_lines import clock_only, each_line, number, settled, year
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import Absent, Kind, Observation, Why
from gateway.core.reading import Context, DeviceIdentity, Frame, Origin, Sample, SampleKind, Signal

_LINES = lines(rb'\A|P [0-9"]|F "|@ "', 128)
_CHECKED = re.compile(r"(.+) ([0-9A-F]{4})")
_TIME = r'"[A-Z]{3}","(?P<date>[0-9]{2}/[0-9]{2}/[0-9]{2})","(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}) {3}"'
_RECORD = re.compile(
    rf'P {_TIME},"(?P<control>[C ]) (?P<value>[0-9]{{3}})(?P<parity>[? ])","(?P<meal>[NBA])","[0-9]{{2}}", 00'
)
_HEAD = re.compile(r'P [0-9]{3},"(?P<serial>[0-9A-Z]{9})","(?:MG/DL |MMOL/L)"')
_SERIAL = re.compile(r'@ "(?P<serial>[0-9A-Z]{9})"')
_CLOCK = re.compile(rf"F {_TIME}")
_ANSWER = re.compile(r"(?:\?|S[A-Z]\?).*")
_LOWEST, _HIGHEST = 20, 600
# The serial number, the clock, the memory: what glucometerutils sends.
_ASKS = tuple(b"\x11\r" + command + b"\r" for command in (b"DM@", b"DMF", b"DMP"))


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every line of a dump, or one answer; raises BadChecksum, BadValue or UnknownLayout."""
    device: DeviceIdentity | None = None

    def read(text: str) -> tuple[Sample, ...]:
        nonlocal device
        body = _checked(text)
        if found := _HEAD.fullmatch(body) or _SERIAL.fullmatch(body):
            device = _device(found["serial"])
            return (Sample(kind=SampleKind.STATUS, device=device, status=("identity",)),)
        return _line(body, device)

    return each_line(frame.payload, _LINES, read)


def _checked(text: str) -> str:
    found = _CHECKED.fullmatch(text)
    if found is None:
        raise UnknownLayout("The line does not end with a space and its four check digits.")
    hold(int(found[2], 16), sum(found[1].encode()) & 0xFFFF)
    return found[1]


def _device(serial: str) -> DeviceIdentity:
    if not serial.endswith("Y"):
        raise BadValue("The serial number is none of an Ultra2; they end with Y.")
    return DeviceIdentity(id=f"onetouch:{serial}", manufacturer="LifeScan", model="OneTouch Ultra2", serial=serial)


def _line(body: str, device: DeviceIdentity | None) -> tuple[Sample, ...]:
    if found := _RECORD.fullmatch(body):
        return (_record(found, device),)
    if found := _CLOCK.fullmatch(body):
        return clock_only(_stamp(found))
    if _ANSWER.fullmatch(body):
        return ()
    raise UnknownLayout("The line is no record and no answer of an Ultra2.")


def _record(found: re.Match[str], device: DeviceIdentity | None) -> Sample:
    is_control = found["control"] == "C"
    has_error = found["parity"] == "?"
    stamp = _stamp(found)
    return settled(
        Sample(
            observations=(_observed(CONTROL if is_control else UNSTATED, found["value"]),),
            device_time=stamp.time,
            origin=Origin.STORED,
            context=Context.CONTROL if is_control else Context.NORMAL,
            device=device,
            status=MEALS.get(found["meal"], ()) + ("parity_error",) * has_error + stamp.status,
            quality=Signal.INVALID if has_error else Signal.OK,
        )
    )


def _observed(kind: Kind, text: str) -> Observation:
    value = number(text)
    if value > _HIGHEST:
        return Absent(kind, Why.ABOVE_RANGE)
    return Absent(kind, Why.BELOW_RANGE) if 0 < value < _LOWEST else glucose(kind, value)


def _stamp(found: re.Match[str]) -> Stamp:
    month, day, short = found["date"].split("/")
    hour, minute, second = (int(part) for part in found["clock"].split(":"))
    return civil(year(short), int(month), int(day), hour, minute, second)


DRIVER = Driver(
    name="serial-onetouch-ultra2",
    version=1,
    link=Link.SERIAL,
    sources={"dump": decode},
    lines={"dump": SerialLine(9600, _LINES, names=True, asks=_ASKS)},
    models=("OneTouch Ultra2",),
    reads=("glucose",),
    grade=Grade.B,
    documented="glucometerutils with tests; tidepool-org/uploader with captured lines",
)
