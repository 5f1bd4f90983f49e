"""
Contec's finger oximeters with a cable: CMS50D+, CMS50E, CMS50F, CMS50I, CMS50EW.

Source:  Contec, "Communication protocol of pulse oximeter V7.0" (in vats28/Contec-CMS50EW @88e8a8b3ce8b) with captures
         in headrotor/contec_data, MarkMLl/Contec_cms50dplus and james-coder/OSCAR-code; for firmware to 4.5
         atbrask/CMS50Dplus @e916c5920739 and Contec's V5.0A paper
Line:    v7 115200 8N1 (CMS50E and F of earlier firmware 19200); v5 19200 8O1 in the field, where the paper says 4800
Units:   percent; beats per minute; perfusion index in steps of 0.01 %
Time:    none while measuring; stored values have a start by the device's clock, no zone, and follow it second by
         second. A CMS50D+ has no clock and says date zero: then there is no time.
Sources: v5  5 bytes, 60 a second; bit 7 marks the first
         v7  a type byte with bit 7 clear, a byte that holds bit 7 of those after it, then the content with bit 7 set
Quirks:  Neither has a check. Without a finger the device sends 0 with the probe error, not the documented FF and 7F;
         both stand for "none". The rate's bit 7 comes apart from it: readers that only mask it report 22 for 150.
         Stored values get their times only in a frame that holds the start date and time too. The replies to user and
         device queries may hold a name and are not read. The download of firmware to 4.5 (F5 F5) is not read.
Never:   AE deletes recordings, B1 and B2 set the clock: none is sent.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields, Stamp, civil, flags
from drivers.framing import SerialLine, fixed, frames_in, sized
from drivers.oximetry import either, pulse_rate, spo2
from drivers.text_lines import settled
from gateway.core.errors import Truncated, UnknownLayout
from gateway.core.observation import PERCENT, PERFUSION_INDEX, Absent, Observation, Why
from gateway.core.reading import Frame, Origin, Sample, Signal
from gateway.core.time import DeviceTime

_NO_SATURATION, _NO_PULSE, _NO_INDEX = (0, 127), (0, 255), (0, 0xFFFF)
_V5_SIZE = 5

# A1 begins the live values; AF, every 5 s, keeps them coming.
_MEASURE, _GO_ON = (bytes((0x7D, 0x81, command)) + b"\x80" * 6 for command in (0xA1, 0xAF))
_LIVE, _START_DATE, _START_TIME = 0x01, 0x07, 0x12
_STORED_WITH_INDEX, _STORED = 0x09, 0x0F
# type -> bytes of the whole packet
_SIZES = {
    _LIVE: 9,
    0x02: 9,  # model
    0x04: 9,  # device id
    0x05: 9,  # user
    _START_DATE: 8,
    0x08: 8,  # length of the recording
    _STORED_WITH_INDEX: 6,
    0x0A: 4,  # count of recordings
    0x0B: 4,  # answer to a command
    0x0C: 2,  # free
    0x0D: 3,  # disconnects
    0x0E: 3,  # whether it has a perfusion index
    _STORED: 8,
    0x10: 3,  # count of users
    0x11: 9,  # notice
    _START_TIME: 8,
    0x15: 9,  # what a recording holds
}


_V5 = fixed(rb"[\x80-\xff]", _V5_SIZE, lambda one: not any(byte & 0x80 for byte in one[1:]))


def decode_v5(frame: Frame) -> tuple[Sample, ...]:
    """Every frame of five bytes."""
    found = frames_in(frame.payload, _V5)
    if not found:
        if len(frame.payload) < _V5_SIZE:
            raise Truncated("The frame holds no five bytes that belong together.")
        raise UnknownLayout("Bit 7 marks the first of five bytes and no other; none of these are a frame.")
    return tuple(_v5(Fields(one)) for one in found)


def _v5(fields: Fields) -> Sample:
    first = fields.u8()
    fields.u8()  # wave
    third, rate, saturation = fields.u8(), fields.u8(), fields.u8()
    status = flags(first >> 4, ("searching_too_long", "spo2_dropping", None))
    status += flags(third >> 4, ("probe_error", "searching", None))
    return settled(
        Sample(
            observations=(spo2(saturation, *_NO_SATURATION), pulse_rate((third & 0x40) << 1 | rate, *_NO_PULSE)),
            status=status,
            quality=_quality(status),
            technical=(("signal_strength", str(first & 0x0F)),),
        )
    )


def _quality(status: tuple[str, ...]) -> Signal:
    return Signal.CAUTION if {"searching_too_long", "probe_error", "searching"} & set(status) else Signal.OK


def _v7_size(window: bytes) -> int:
    return _SIZES.get(window[0], -1)


_V7 = sized(
    b"[" + b"".join(b"\\x%02x" % kind for kind in _SIZES) + b"]",
    _v7_size,
    max(_SIZES.values()),
    lambda one: all(byte & 0x80 for byte in one[1:]),
)


def decode_v7(frame: Frame) -> tuple[Sample, ...]:
    """Every packet; those without a value give none."""
    found = frames_in(frame.payload, _V7)
    if not found:
        if len(frame.payload) < _SIZES.get(frame.payload[0], 0) if frame.payload else True:
            raise Truncated("The packet ends before its last byte.")
        raise UnknownLayout("The frame holds no packet of Contec's protocol V7.0.")
    return tuple(_v7(found))


def _v7(packets: list[bytes]) -> Iterator[Sample]:
    """The samples, with the place in a recording that was begun before them in the frame."""
    date, start, seconds = bytes(6), UNSTAMPED, count()
    for packet in packets:
        content = _restored(packet)
        match packet[0]:
            case 0x01:
                yield _live(Fields(content))
            case 0x07:
                date, start, seconds = content, UNSTAMPED, count()
            case 0x12:
                start, seconds = _start(date, content), count()
            case 0x09 | 0x0F as kind:
                for observations in _stored(kind, Fields(content)):
                    yield _at(observations, start, next(seconds))


def _restored(packet: bytes) -> bytes:
    """The content with bit 7 of each byte as it was before the protocol took it away."""
    high = packet[1]
    return bytes(byte & 0x7F | (high >> place & 1) << 7 for place, byte in enumerate(packet[2:]))


def _live(fields: Fields) -> Sample:
    first, second, third = fields.u8(), fields.u8(), fields.u8()
    rate, saturation, index = fields.u8(), fields.u8(), fields.u16le()
    status = flags(first >> 4, ("searching_too_long", "spo2_low", None, "probe_error"))
    status += flags(second >> 7, ("searching",))
    no_index = bool(third & 0x10)
    return settled(
        Sample(
            observations=(
                spo2(saturation, *_NO_SATURATION),
                pulse_rate(rate, *_NO_PULSE),
                Absent(PERFUSION_INDEX, Why.NOT_AVAILABLE) if no_index else _index(index),
            ),
            status=status,
            quality=_quality(status),
            technical=(("signal_strength", str(first & 0x0F)),),
        )
    )


def _index(raw: int) -> Observation:
    return either(PERFUSION_INDEX, raw, _NO_INDEX, PERCENT, "0.01")


def _start(date: bytes, clock: bytes) -> Stamp:
    century, short, month, day = date[2:6]
    hour, minute, second = clock[2:5]
    return civil(century * 100 + short, month, day, hour, minute, second)


def _stored(kind: int, fields: Fields) -> Iterator[tuple[Observation, ...]]:
    """One second after the other: SpO2 and rate, three to a packet, or one with its perfusion index."""
    while fields.left():
        pair = (spo2(fields.u8(), *_NO_SATURATION), pulse_rate(fields.u8(), *_NO_PULSE))
        yield (*pair, _index(fields.u16le())) if kind == _STORED_WITH_INDEX else pair


def _at(observations: tuple[Observation, ...], start: Stamp, second: int) -> Sample:
    time = None if start.time is None else _later(start.time.local, second)
    sample = Sample(observations=observations, device_time=time, origin=Origin.STORED, status=start.status)
    return settled(sample)


def _later(local: datetime, seconds: int) -> DeviceTime | None:
    try:
        return DeviceTime(local + timedelta(seconds=seconds))
    except OverflowError:
        return None


DRIVER = Driver(
    name="serial-contec",
    version=1,
    link=Link.SERIAL,
    sources={"v5": decode_v5, "v7": decode_v7},
    lines={
        "v5": SerialLine(19200, _V5, "8O1", streams=True),
        "v7": SerialLine(115_200, _V7, streams=True, asks=(_MEASURE,), alive=_GO_ON),
    },
    models=("Contec CMS50D+", "Contec CMS50E", "Contec CMS50F", "Contec CMS50I", "Contec CMS50EW"),
    reads=("spo2", "heart_rate"),
    grade=Grade.A,
    documented="Contec, Communication protocol of pulse oximeter V7.0; captures in three open clients",
)
