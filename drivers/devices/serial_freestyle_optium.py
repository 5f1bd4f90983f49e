"""
Abbott FreeStyle Optium and Precision Xtra, the answers to $xmem and $colq.

Source:  tidepool-org/uploader abbottPrecisionXtra.js @3651507b0543; glucometers-tech/glucometerutils fsoptium.py and
         its tests @9b87a5b854f5
Line:    19200 8N1
Units:   glucose in mg/dL always, whatever the display shows; ketones in a unit no document states
Time:    `Aug  03 2013 22:12` by the meter's clock, no zone and no seconds. $xmem and $colq hold the clock itself:
         `device_now`.
Order:   $xmem  empty line, serial number, version, clock, count, the records, sum of all that and END
         $colq  S/N:, Ver:, Clock: and more with tabs, CMD OK
Quirks:  HI and LO stand for values beyond the range. June and July are written out in records, other months are three
         letters and a space; the line Clock: has three letters always. Flag bit 0 is a control solution, bit 1 says
         that the meter lost its time: then there is none. K is a ketone, never glucose. A record handed over alone
         has no check of its own.
Never:   $tim sets the clock and is not sent.
"""

import re
from collections.abc import Iterator

from drivers.checks import hold
from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Stamp, civil
from drivers.framing import SerialLine, ended
from drivers.meters import CONTROL, UNSTATED, glucose
from drivers.text_lines import ascii_text, clock_only, number, settled, stated_now
from gateway.core.errors import BadValue, Truncated, UnknownLayout
from gateway.core.observation import Absent, Kind, Observation, Why
from gateway.core.reading import Context, DeviceIdentity, Frame, Origin, Sample, SampleKind

_KETONE = Kind("VG_BLOOD_KETONE", "ketone")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<month>[A-Z][a-z]{2})[ ey] (?P<day>[0-9]{2}) (?P<year>[0-9]{4}) (?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
_RECORD = re.compile(rf"(?P<value>HI |LO |[0-9]{{3}})  {_TIME} (?P<type>[GK]) 0x(?P<flags>[0-9A-Fa-f]{{2}})")
_NOW = re.compile(_TIME)
_COLQ_NOW = re.compile(
    r"Clock:\t(?P<month>[A-Z][a-z]{2})  (?P<day>[0-9]{2}) (?P<year>[0-9]{4})\t(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})"
)
_END = re.compile(r"0x(?P<sum>[0-9A-F]{4})  END\s*")
_COUNT = re.compile(r"[0-9]{3}|Log Empty")
_SERIAL = re.compile(r"[A-Z][A-Z0-9-]{10,12}")
_COLQ_DONE = "CMD OK"
_CONTROL, _TIME_LOST = 1 << 0, 1 << 1
# 450 records of 33 bytes, the most the meter keeps, and the head.
_REPLY_BYTES_MAX = 16_384
_WORDS = {"HI ": Why.ABOVE_RANGE, "LO ": Why.BELOW_RANGE}
_REPLIES = ended(rb"(?:0x[0-9A-F]{4}  END|CMD OK|CMD Fail!)\r?\n", _REPLY_BYTES_MAX)


def decode(frame: Frame) -> tuple[Sample, ...]:
    """A whole reply, or one record or Clock: line alone; raises BadChecksum, Truncated or UnknownLayout."""
    text = ascii_text(frame.payload).strip("\x02\x03")
    body = [line for line in text.splitlines() if line]
    if not body:
        raise Truncated("The frame is empty.")
    if end := _END.fullmatch(body[-1]):
        return tuple(_memory(text, body[:-1], int(end["sum"], 16)))
    if body[-1] == _COLQ_DONE or len(body) == 1:
        return tuple(_alone(body))
    raise Truncated("The reply ends before its last line, and its check with it.")


def _memory(text: str, body: list[str], stated: int) -> Iterator[Sample]:
    """The answer to $xmem: identity and clock, then the records."""
    checked = text[: text.rindex("0x", 0, text.rindex("END"))]
    hold(stated, sum(checked.encode()) & 0xFFFF)
    records = [found for line in body if (found := _RECORD.fullmatch(line))]
    count = next((line for line in body if _COUNT.fullmatch(line)), None)
    if count is None or len(records) != (int(count) if count.isdigit() else 0):
        raise BadValue("The reply holds more or fewer records than it counts, or one that no client knows.")
    device = next((_device(line) for line in body if _SERIAL.fullmatch(line)), None)
    now = next((_stamp(found) for line in body if (found := _NOW.fullmatch(line))), UNSTAMPED)
    yield Sample(kind=SampleKind.STATUS, device=device, status=("device_clock",), technical=stated_now(now))
    for found in records:
        yield _record(found, device)


def _alone(body: list[str]) -> Iterator[Sample]:
    """One line alone, or the answer to $colq, of which only the clock is read."""
    for line in body:
        if found := _RECORD.fullmatch(line):
            yield _record(found, None)
        elif found := _COLQ_NOW.fullmatch(line):
            yield from clock_only(_stamp(found))
        elif line.startswith("Clock:") or body[-1] != _COLQ_DONE:
            raise UnknownLayout("The line is no record and no clock of a FreeStyle Optium.")


def _device(serial: str) -> DeviceIdentity:
    return DeviceIdentity(id=f"freestyle:{serial}", manufacturer="Abbott", serial=serial)


def _record(found: re.Match[str], device: DeviceIdentity | None) -> Sample:
    bits = int(found["flags"], 16)
    is_control, lost = bool(bits & _CONTROL), bool(bits & _TIME_LOST)
    stamp = UNSTAMPED if lost else _stamp(found)
    kind = _KETONE if found["type"] == "K" else CONTROL if is_control else UNSTATED
    return settled(
        Sample(
            observations=(_observed(kind, found["value"]),),
            device_time=stamp.time,
            origin=Origin.STORED,
            context=Context.CONTROL if is_control else Context.NORMAL,
            device=device,
            status=("device_time_lost",) * lost + stamp.status,
        )
    )


def _observed(kind: Kind, text: str) -> Observation:
    if text in _WORDS:
        return Absent(kind, _WORDS[text])
    return Absent(kind, Why.UNIT_NOT_STATED) if kind is _KETONE else glucose(kind, number(text))


def _stamp(found: re.Match[str]) -> Stamp:
    if found["month"] not in _MONTHS:
        raise BadValue("The month is none of the twelve.")
    hour, minute, *second = (int(part) for part in found["clock"].split(":"))
    return civil(int(found["year"]), _MONTHS.index(found["month"]) + 1, int(found["day"]), hour, minute, *second)


DRIVER = Driver(
    name="serial-freestyle-optium",
    version=1,
    link=Link.SERIAL,
    sources={"log": decode},
    lines={"log": SerialLine(19_200, _REPLIES, names=True, asks=(b"$colq\r\n", b"$xmem\r\n"))},
    models=("FreeStyle Optium", "Precision Xtra"),
    reads=("glucose",),
    grade=Grade.B,
    documented="tidepool-org/uploader and glucometerutils, with tests",
)
