"""
Visomat Double Comfort and Prevention DS-2200PV, the memory download.

Source:  visomat-utils by Antonio Ospite, README, with two real dumps
Line:    USB serial, where the speed means nothing: 9600 8N1 is set
Units:   mmHg; beats per minute
Time:    YYMMDDHHMM by the device's clock, no zone; the real dumps hold 2010-01-01, a clock never set, and the year
         2044
Order:   [STX], then for each user M, user, count of two digits, and as many records of 20 digits: time, flag, systolic,
         diastolic, pulse; [ETX]
Quirks:  A dummy byte follows a count of 00. The flag is perhaps an arrhythmia: passed on as a number, not as a word.
         Nothing is live. Two records may share a time. Two users share the device: a slot is no patient.
Never:   no command that erases is known, and none is sent.
"""

import re
from collections.abc import Iterator

from drivers.contract import Driver, Grade, Link
from drivers.fields import civil, counted
from drivers.framing import SerialLine, between, frames_in
from drivers.text_lines import ascii_text, settled
from gateway.core.errors import Leftover, Truncated, UnknownLayout
from gateway.core.observation import (
    DIASTOLIC,
    MMHG,
    PER_MINUTE,
    PULSE_RATE,
    SYSTOLIC,
    Absent,
    Kind,
    Observation,
    Unit,
    Why,
)
from gateway.core.reading import Frame, Origin, Sample

_HEAD = re.compile(r"M([0-9])([0-9]{2})")
_RECORD = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9])([0-9]{3})([0-9]{3})([0-9]{3})")
_HEAD_SIZE, _RECORD_SIZE = 4, 20
# Two users with 99 records each, the most that two digits count.
_DUMP_BYTES_MAX = 2 + 2 * (_HEAD_SIZE + 1 + 99 * _RECORD_SIZE)
_STX = b"\x02"
_DUMPS = between(_STX, b"\x03", _DUMP_BYTES_MAX)


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every record of the dump; raises Truncated where fewer came than the count says."""
    dumps = frames_in(frame.payload, _DUMPS) if _STX in frame.payload else [frame.payload]
    texts = [ascii_text(dump).strip("\x02\x03") for dump in dumps]
    if not any(texts):
        raise Truncated("The dump is empty, or ends before ETX.")
    return tuple(sample for text in texts for sample in _users(text))


def _users(text: str) -> Iterator[Sample]:
    at = 0
    while at < len(text):
        head = _HEAD.match(text, at)
        if head is None:
            raise _wrong_head(text[at:])
        at, slot, count = head.end(), int(head[1]), int(head[2])
        for _ in range(count):
            yield _record(text[at : at + _RECORD_SIZE], slot)
            at += _RECORD_SIZE
        # the dummy byte; the device leaves it out where nothing follows
        at += count == 0


def _wrong_head(rest: str) -> Truncated | Leftover | UnknownLayout:
    if rest.startswith("M") and len(rest) < _HEAD_SIZE:
        return Truncated("The dump ends inside a user's count.")
    if rest.isdigit():
        return Leftover("More records came than the count says.")
    return UnknownLayout("A user's records begin with M, the user and a count of two digits.")


def _record(text: str, slot: int) -> Sample:
    if len(text) < _RECORD_SIZE:
        raise Truncated("Fewer records came than the count says.")
    found = _RECORD.fullmatch(text)
    if found is None:
        raise UnknownLayout("A record is not twenty digits.")
    year, month, day, hour, minute, flag, systolic, diastolic, pulse = (int(part) for part in found.groups())
    stamp = civil(2000 + year, month, day, hour, minute)
    return settled(
        Sample(
            observations=(
                _observed(SYSTOLIC, systolic, MMHG),
                _observed(DIASTOLIC, diastolic, MMHG),
                _observed(PULSE_RATE, pulse, PER_MINUTE),
            ),
            device_time=stamp.time,
            origin=Origin.STORED,
            slot=slot,
            status=stamp.status,
            technical=(("flag", str(flag)),),
        )
    )


def _observed(kind: Kind, raw: int, unit: Unit) -> Observation:
    return counted(kind, raw, unit) if raw else Absent(kind, Why.NOT_AVAILABLE)


DRIVER = Driver(
    name="serial-visomat",
    version=1,
    link=Link.SERIAL,
    sources={"records": decode},
    lines={"records": SerialLine(9600, _DUMPS)},
    models=("Visomat Double Comfort", "Visomat Prevention DS-2200PV"),
    reads=("blood_pressure", "heart_rate"),
    grade=Grade.C,
    documented="visomat-utils, with two real dumps",
)
