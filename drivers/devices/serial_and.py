"""
A&D's cuffs and scales over Bluetooth SPP ("PBT" models) and its scales' text lines.

Source:  an Android client's ANDtestManager class, with captured packets; A&D publishes no byte-level document of these
Line:    Bluetooth SPP, or 9600 8N1 with a cable
Units:   mmHg; beats per minute; kilograms, pounds, percent, ohms and kilocalories as written beside the number
Time:    a packet has the time of the measurement and the time of its sending, both by the device's clock, no zone; the
         second is a reading of that clock: `device_now`. Lines and bare bodies have none.
         Sent more than a minute after the measurement, or without a time: from memory.
Sources: packet  [PWCAPI] 02 00, length, device type, flag, two times, two addresses, serial, battery: 60 bytes, then
                 the body
         bp      a cuff's body: 10 hex digits, status, PULSE PRESSURE, diastolic, pulse, mean
         scale   a scale's lines: ST,+077.45kg and what a body analyser adds
Quirks:  The systolic pressure is the sum of the first two values of a body. That the last is the mean pressure is
         inferred: it fits the captures. A status other than 80 is a failed measurement. Height (HT) and what WT means
         are not read: the first is typed in, the second is named by no source. ID is the scale's user, never a
         patient.
Never:   PWA1 may release the record in the device: a transport sends it after the commit, or not at all.
"""

import re
from datetime import timedelta
from decimal import Decimal

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, Stamp, counted, from_hex
from drivers.framing import SerialLine, frames_in, lines, sized
from drivers.text_lines import ascii_text, each_line, number, settled, stated_now
from gateway.core.errors import BadValue, Truncated, UnknownLayout
from gateway.core.observation import (
    BASAL_METABOLISM,
    BODY_FAT,
    BODY_IMPEDANCE,
    DIASTOLIC,
    KG,
    MEAN_ARTERIAL,
    MMHG,
    MUSCLE_MASS,
    OHM,
    PER_MINUTE,
    PERCENT,
    POUND,
    PULSE_RATE,
    SYSTOLIC,
    WEIGHT,
    Absent,
    Kind,
    Measured,
    Observation,
    Unit,
    Why,
)
from gateway.core.reading import DeviceIdentity, Frame, Origin, Sample, SampleKind, Signal

_CALL, _TYPE = b"PWCAPI", b"\x02\x00"
_HEAD_BYTES = 60
_BODY_BYTES_MAX = 512
_PACKET_BYTES_MAX = len(_CALL) + _HEAD_BYTES + _BODY_BYTES_MAX
_MODELS = {767: "UA-767PBT", 407: "UC-411PBT-C"}
_GOOD = 0x80
# A device that finds its hub sends at once; one that does not keeps the measurement for later.
_LIVE_WITHIN = timedelta(seconds=60)

_BODY = re.compile(r"[0-9A-F]{10}")
_BODIES = lines(rb"(?<![0-9A-F])[0-9A-F]{10}\r?\n", 64)
_LINE = re.compile(r"(?P<name>[A-Z]{2}),(?P<value>[+-]?[0-9.]+)(?P<unit>[A-Za-z%]*) *")
_LINES = lines(rb"[A-Z]{2},", 64)
_KILOCALORIE = Unit("kcal")
_READ: dict[str, tuple[Kind, dict[str, Unit]]] = {
    "ST": (WEIGHT, {"kg": KG, "lb": POUND}),
    "RT": (BODY_IMPEDANCE, {"O": OHM}),
    "FT": (BODY_FAT, {"%": PERCENT}),
    "BT": (BASAL_METABOLISM, {"kc": _KILOCALORIE}),
    "MT": (MUSCLE_MASS, {"kg": KG, "lb": POUND}),
}
_NOT_READ = frozenset({"HT", "WT"})
_IN_MOTION, _OVERLOAD, _USER = "US", "OL", "ID"


def _packet_size(window: bytes) -> int:
    """The length a packet states, with the call that may stand before it."""
    call = len(_CALL) if window.startswith(_CALL) else 0
    if not call and (_CALL.startswith(window) or not window):
        return 0
    head = window[call:]
    if not _TYPE.startswith(head[:2]):
        return -1
    if len(head) < 6:
        return 0
    size = int.from_bytes(head[2:6], "little")
    return call + _HEAD_BYTES + size if size <= _BODY_BYTES_MAX else -1


_PACKETS = sized(rb"[P\x02]", _packet_size, _PACKET_BYTES_MAX)


def decode_packet(frame: Frame) -> tuple[Sample, ...]:
    """Every packet; raises Truncated or UnknownLayout where there is no whole one."""
    found = frames_in(frame.payload, _PACKETS)
    if not found:
        body = frame.payload.removeprefix(_CALL)
        if _TYPE.startswith(body[:2]):
            raise Truncated("The packet ends before the length it states.")
        raise UnknownLayout("A packet of A&D's begins with 02 00, with or without PWCAPI before it.")
    return tuple(_packet(packet) for packet in found)


def _packet(packet: bytes) -> Sample:
    fields = Fields(packet.removeprefix(_CALL))
    fields.take(2)
    size, type_ = fields.u32le(), fields.u16le()
    fields.u8()
    measured, sent = fields.date_time(), fields.date_time()
    fields.take(12)  # the addresses of both sides
    serial = fields.take(12).rstrip(b"\0 ")
    fields.take(10)
    battery = fields.u8()
    fields.take(2)
    sample = _body(fields.take(size))
    return Sample(
        observations=sample.observations,
        device_time=measured.time,
        kind=sample.kind,
        origin=_origin(measured, sent),
        device=_device(serial, type_),
        slot=sample.slot,
        status=sample.status + measured.status,
        quality=sample.quality,
        technical=(("battery_raw", str(battery)), *stated_now(sent)),
    )


def _origin(measured: Stamp, sent: Stamp) -> Origin:
    """Live where the device's own two times say that it was sent as it was measured."""
    if measured.time is None or sent.time is None:
        return Origin.STORED
    age = sent.time.local - measured.time.local
    return Origin.LIVE if timedelta(0) <= age <= _LIVE_WITHIN else Origin.STORED


def _device(serial: bytes, type_: int) -> DeviceIdentity | None:
    if not serial.isalnum():
        return None
    number_ = ascii_text(serial)
    return DeviceIdentity(id=f"and:{number_}", manufacturer="A&D", model=_MODELS.get(type_), serial=number_)


def _body(body: bytes) -> Sample:
    if _BODY.fullmatch(ascii_text(body)):
        return _pressure(ascii_text(body))
    samples = each_line(body, _LINES, _scale_line)
    return _joined(samples)


def decode_bp(frame: Frame) -> tuple[Sample, ...]:
    """Every body of a cuff."""
    text = ascii_text(frame.payload)
    if len(text) < 10 and re.fullmatch(r"[0-9A-F]*", text):
        raise Truncated("A cuff's body has ten hex digits.")
    return each_line(frame.payload, _BODIES, lambda line: (_pressure(line),))


def _pressure(text: str) -> Sample:
    status, difference, diastolic, pulse, mean = from_hex(text)
    if status != _GOOD:
        kinds = (SYSTOLIC, DIASTOLIC, MEAN_ARTERIAL, PULSE_RATE)
        return Sample(
            kind=SampleKind.STATUS,
            observations=tuple(Absent(kind, Why.UNSUCCESSFUL) for kind in kinds),
            status=("measurement_error",),
            quality=Signal.INVALID,
            technical=(("error_code", f"{status:02X}"),),
        )
    return settled(
        Sample(
            observations=(
                _counted(SYSTOLIC, diastolic and difference + diastolic, MMHG),
                _counted(DIASTOLIC, diastolic, MMHG),
                _counted(MEAN_ARTERIAL, mean, MMHG),
                _counted(PULSE_RATE, pulse, PER_MINUTE),
            )
        )
    )


def _counted(kind: Kind, raw: int, unit: Unit) -> Observation:
    return counted(kind, raw, unit) if raw else Absent(kind, Why.NOT_AVAILABLE)


def decode_scale(frame: Frame) -> tuple[Sample, ...]:
    """The lines of every weighing: each begins with its weight, and what follows belongs to it."""
    weighings: list[list[Sample]] = []
    for sample in each_line(frame.payload, _LINES, _scale_line):
        if not weighings or "weighed" in sample.status:
            weighings.append([])
        weighings[-1].append(sample)
    return tuple(_joined(tuple(weighing)) for weighing in weighings)


def _scale_line(text: str) -> tuple[Sample, ...]:
    """One line as a sample of its own, which _joined puts together; `weighed` marks the first of a weighing."""
    found = _LINE.fullmatch(text)
    if found is None:
        raise UnknownLayout("The line is not a name, a number and a unit as A&D's scales write them.")
    name, value, unit = found.groups()
    if name in _READ:
        kind, units = _READ[name]
        return (Sample(observations=(_observed(kind, number(value), unit, units),), status=_begins(name)),)
    if name == _USER:
        return (Sample(slot=int(_whole(value))),)
    if name == _IN_MOTION:
        return (Sample(status=("weighed", "in_motion")),)
    if name == _OVERLOAD:
        return (Sample(status=("weighed", "overload")),)
    if name in _NOT_READ:
        return (Sample(),)
    raise UnknownLayout("The line's name is none that A&D's scales are known to send.")


def _begins(name: str) -> tuple[str, ...]:
    return ("weighed",) if name == "ST" else ()


def _whole(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise BadValue("The scale's user is not a number.")
    return text


def _observed(kind: Kind, value: Decimal, unit: str, units: dict[str, Unit]) -> Observation:
    if unit not in units:
        raise BadValue(f"The unit of {kind.code} is none that A&D's scales are known to send.")
    if value < 0 or (units[unit] == PERCENT and value > 100):
        raise BadValue(f"{kind.code} is a number no scale can mean.")
    return Measured(kind, value, units[unit]) if value else Absent(kind, Why.NOT_AVAILABLE)


def _joined(parts: tuple[Sample, ...]) -> Sample:
    status = tuple(word for part in parts for word in part.status if word != "weighed")
    slots = [part.slot for part in parts if part.slot is not None]
    return settled(
        Sample(
            observations=tuple(one for part in parts for one in part.observations),
            slot=slots[0] if slots else None,
            status=status,
        )
    )


DRIVER = Driver(
    name="serial-and",
    version=1,
    link=Link.SERIAL,
    sources={"packet": decode_packet, "bp": decode_bp, "scale": decode_scale},
    lines={
        "packet": SerialLine(9600, _PACKETS, names=True),
        "bp": SerialLine(9600, _BODIES),
        "scale": SerialLine(9600, _LINES),
    },
    models=("A&D UA-767PBT", "A&D UC-321PBT", "A&D UC-411PBT-C"),
    reads=("blood_pressure", "heart_rate", "weight", "body_composition"),
    grade=Grade.C,
    documented="an Android client with captured packets",
)
