"""
Nellcor N-595, NPB-290 and NPB-295, the printer output on their serial port.

Source:  mdpnp/mdpnp nellcor-n595.spec @1ae7f72addd6; NPB-290 operator's manual, Appendix B; NPB-295, Appendix C
Line:    no source read states the speed: 9600 8N1 is assumed, look it up in the monitor's own setup. One line every 2
         s on mains; on battery nothing is sent.
Units:   percent; beats per minute; pulse amplitude without a unit
Time:    dd-MMM-yy HH:MM:SS by the device's clock, no zone. A live line is a reading of that clock: `device_now`.
Quirks:  A line from memory (trend) looks like a live line. What tells them apart is the header that comes every 25
         lines and, in live lines, a status code: a frame is a block that begins with its header, and a line that
         neither shows live counts as memory, since a stored value taken for a live one would be dated today. `*`
         marks a value in alarm and is no part of it; `---` is none.
Never:   nothing is sent to it; XON (11) only where its output stopped.
"""

import re
from collections.abc import Iterable
from enum import Enum

from drivers.contract import Driver, Grade, Link
from drivers.fields import Stamp, civil
from drivers.framing import SerialLine, blocks, lines
from drivers.oximetry import pulse_rate, spo2
from drivers.text_lines import each_line, settled, stated_now, year
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import Observation
from gateway.core.reading import Frame, Origin, Sample, Signal
from gateway.core.time import DeviceTime

# A header and 25 lines have some 1300 bytes.
_BLOCK_BYTES_MAX = 4096
_HEADER = rb"(?m)^[A-Z]{1,3}-[0-9]{3}[^\n]*VERSION"
_LINES = lines(rb"[0-9]{2}-[A-Z]{3}-[0-9]{2} |[A-Z]{1,3}-[0-9]{3}[^\n]*VERSION|TIME +%SpO2|Output Complete")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LINE = re.compile(
    r"(?P<day>[0-9]{2})-(?P<month>[A-Z]{3})-(?P<year>[0-9]{2}) (?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r" +(?P<spo2>[0-9]{1,3}|---)(?P<spo2_alarm>\*?) +(?P<pulse>[0-9]{1,3}|---)(?P<pulse_alarm>\*?)"
    r" +(?P<amplitude>[0-9]{1,3}|---)\*?(?P<codes>(?: +[A-Z]{2})*) *"
)
_CODES = {
    "AO": "alarm_off",
    "AS": "alarm_silenced",
    "LB": "battery_low",
    "LM": "pulse_lost_interference",
    "LP": "pulse_lost",
    "MO": "interference",
    "PH": "pulse_high_limit",
    "PL": "pulse_low_limit",
    "PS": "pulse_search",
    "SH": "spo2_high_limit",
    "SL": "spo2_low_limit",
    "SD": "sensor_disconnected",
    "SO": "sensor_off",
}
_NO_SIGNAL = frozenset({"SD", "SO"})
_DOUBTFUL = frozenset({"LM", "LP", "MO", "PS"})
_NONE = 0


class _Part(Enum):
    """What the header above a line says of it."""

    UNTOLD = "untold"
    LIVE = "live"
    TREND = "trend"


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every line of values; headers give none."""
    part = _Part.UNTOLD

    def read(text: str) -> Iterable[Sample]:
        nonlocal part
        part = _told_by(text, part)
        return () if _heads(text) else (_values(text, part),)

    return each_line(frame.payload, _LINES, lambda text: tuple(read(text)))


def _heads(text: str) -> bool:
    return not re.match(r"[0-9]", text)


def _told_by(text: str, before: _Part) -> _Part:
    """A live header has a checksum, and its columns end with Status; a trend's has neither."""
    if not _heads(text):
        return before
    if "VERSION" in text:
        return _Part.LIVE if "CRC" in text else _Part.TREND
    if text.startswith("TIME"):
        return _Part.LIVE if "Status" in text else _Part.TREND
    return _Part.UNTOLD


def _values(text: str, part: _Part) -> Sample:
    found = _LINE.fullmatch(text)
    if found is None:
        raise UnknownLayout("The line is not time, SpO2, pulse, amplitude and codes as Nellcor prints them.")
    codes = found["codes"].split()
    if not _CODES.keys() >= set(codes):
        raise BadValue("The line has a status code that no Nellcor manual names.")
    is_live = part is _Part.LIVE or (part is _Part.UNTOLD and bool(codes))
    stamp = _stamp(found)
    return settled(
        Sample(
            observations=(_percent(found["spo2"]), pulse_rate(_count(found["pulse"]), _NONE)),
            device_time=stamp.time,
            origin=Origin.LIVE if is_live else Origin.STORED,
            status=(*_alarms(found), *(_CODES[code] for code in codes), *stamp.status),
            quality=_quality(codes),
            technical=_technical(found, stamp.time if is_live else None),
        )
    )


def _percent(text: str) -> Observation:
    value = _count(text)
    if value > 100:
        raise BadValue("SpO2 is above 100 %.")
    return spo2(value, _NONE)


def _count(text: str) -> int:
    return _NONE if text == "---" else int(text)


def _stamp(found: re.Match[str]) -> Stamp:
    if found["month"] not in _MONTHS:
        raise BadValue("The line's month is none of the twelve.")
    hour, minute, second = (int(part) for part in found["clock"].split(":"))
    return civil(year(found["year"]), _MONTHS.index(found["month"]) + 1, int(found["day"]), hour, minute, second)


def _alarms(found: re.Match[str]) -> tuple[str, ...]:
    return ("spo2_alarm",) * bool(found["spo2_alarm"]) + ("pulse_alarm",) * bool(found["pulse_alarm"])


def _quality(codes: Iterable[str]) -> Signal:
    if _NO_SIGNAL & set(codes):
        return Signal.INVALID
    return Signal.CAUTION if _DOUBTFUL & set(codes) else Signal.OK


def _technical(found: re.Match[str], now: DeviceTime | None) -> tuple[tuple[str, str], ...]:
    amplitude = () if found["amplitude"] == "---" else (("pulse_amplitude", str(int(found["amplitude"]))),)
    return amplitude + stated_now(Stamp(now))


DRIVER = Driver(
    name="serial-nellcor",
    version=1,
    link=Link.SERIAL,
    sources={"ascii": decode},
    # a header comes every 25 lines, 50 s apart
    lines={"ascii": SerialLine(9600, blocks(_HEADER, _BLOCK_BYTES_MAX, silence_s=5.0), streams=True)},
    models=("Nellcor N-595", "Nellcor NPB-290", "Nellcor NPB-295"),
    reads=("spo2", "heart_rate"),
    grade=Grade.A,
    documented="NPB-290 and NPB-295 operator's manuals; mdpnp's specification of the N-595",
)
