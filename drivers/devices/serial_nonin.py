"""
Nonin's oximeters with a cable: Xpod and OEM III boards, WristOx2 3150, Onyx II 9560, Avant, PalmSAT and 8500.

Source:  mattjlewis/NoninPulseOx @6153426b040a, with a captured stream; NoninPacket.java (ibme.nonin) for the
         stand-ins; the manuals of the 9600, 4000, 2500, 8500 and 9847 for the text lines
Line:    9600 8N1; the 9600 Avant sends 8N2, the 2500, 8500 and 9847 nine data bits with the ninth at mark, which reads
         as 8N1 while they measure
Units:   percent; beats per minute
Time:    none; format 13 has a time whose encoding no source settles, and it is left in the frame. The 9847's lines
         have a time of day without a date.
Sources: df2    packets of 25 frames of 5 bytes, three a second: 01, status, wave, a value by the frame's place, sum
         df8    4 bytes a second: status, pulse, SpO2, second status; no sync byte and no check, so a pause ends a frame
         df13   a spot check: 00 02, type, length, time, status, pulse, SpO2, sum, 03
         ascii  SPO2=097 HR=072, once a second
Quirks:  511 and 127 stand for "no value", `---` in text. A packet of format 2 whose first frame is lost is no packet.
         The values "for display" are held for 10 s after the finger is gone, so the others are read. Bit 6 of format
         2's status (sensor disconnected) is named by one source. The text header at power-up is not fixed and is
         passed over.
Never:   commands that change format, clock or memory are not sent.
"""

import re

from drivers.checks import hold, sum8
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, flags
from drivers.framing import SerialLine, by_silence, frames_in, lines, sized
from drivers.oximetry import pulse_rate, spo2
from drivers.text_lines import each_line, settled
from gateway.core.errors import BadChecksum, BadValue, Truncated, UnknownLayout
from gateway.core.observation import OXIMETER_PULSE_RATE, SPO2, Absent, Observation, Why
from gateway.core.reading import Frame, Origin, Sample, Signal

_NO_PULSE, _NO_SATURATION = 511, 127
_FRAME, _PACKET = 5, 125
_BY_FRAME = (None, None, None, "sensor_alarm", "out_of_track", "artifact", "sensor_disconnected")
_DOUBTFUL = 0b0111_1000
_PERFUSION = {2: ("low_perfusion",), 3: ("marginal_perfusion",)}
_SECOND_STATUS = ("battery_low", None, None, None, None, "smartpoint")
_DF8_FIRST = (None, None, "artifact", "marginal_perfusion", "low_perfusion", "out_of_track")
_DF8_SECOND = ("battery_low", None, None, "sensor_alarm", None, "smartpoint")
_DF8_SIZE = 4
_SMARTPOINT, _NO_MEASUREMENT, _FROM_MEMORY, _BATTERY_LOW = 0x200, 0x100, 0x10, 0x01
_DF13_START, _DF13_END = b"\x00\x02", 0x03
_DF13_HEAD, _DF13_LEAST, _DF13_LONGEST = 6, 14, 64

_TEXT = re.compile(
    r"(?:(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}) )?"
    r"SPO2=(?P<spo2>[0-9]{3}|---) HR=(?P<pulse>[0-9]{3}|---)(?P<marks>[ *FB]*)"
)
_MARKS = {"*": "event_mark", "F": "fast_response", "B": "breath"}


def _sums_hold(packet: bytes) -> bool:
    frames = [packet[at : at + _FRAME] for at in range(0, _PACKET, _FRAME)]
    whole = all(one[0] == 1 and one[1] & 0x80 and one[4] == sum8(one[:4]) for one in frames)
    return whole and [one[1] & 1 for one in frames] == [1] + 24 * [0]


def _packet_size(window: bytes) -> int:
    if len(window) < 2:
        return 0
    return _PACKET if window[1] & 0x81 == 0x81 else -1


_DF2 = sized(rb"\x01", _packet_size, _PACKET, _sums_hold)


def decode_df2(frame: Frame) -> tuple[Sample, ...]:
    """Every whole packet of 25 frames; frames before and after them are parts of packets and are left out."""
    packets = frames_in(frame.payload, _DF2)
    if packets:
        return tuple(_packet(packet) for packet in packets)
    if len(frame.payload) < _PACKET:
        raise Truncated("The frame holds no whole packet of 25 frames.")
    raise BadChecksum("The frame holds no packet whose 25 frames all add up.")


def _packet(packet: bytes) -> Sample:
    values, states = packet[3::_FRAME], packet[1::_FRAME]
    status = 0
    for state in states:
        status |= state
    perfusion = _PERFUSION.get(states[0] >> 1 & 3, ())
    return settled(
        Sample(
            observations=(
                spo2(values[2] & 0x7F, _NO_SATURATION, 0),
                pulse_rate((values[0] & 3) << 7 | values[1] & 0x7F, _NO_PULSE, 0),
            ),
            status=flags(status, _BY_FRAME) + perfusion + flags(values[7], _SECOND_STATUS),
            quality=Signal.CAUTION if status & _DOUBTFUL or perfusion else Signal.OK,
            technical=(("firmware", str(values[3])),),
        )
    )


def decode_df8(frame: Frame) -> tuple[Sample, ...]:
    """Every four bytes; raises Truncated for a rest, UnknownLayout where bit 7 is set, which it never is."""
    payload = frame.payload
    if not payload or len(payload) % _DF8_SIZE:
        raise Truncated("Format 8 has four bytes a value; some are missing, and nothing tells which.")
    return tuple(_df8(payload[at : at + _DF8_SIZE]) for at in range(0, len(payload), _DF8_SIZE))


def _df8(four: bytes) -> Sample:
    first, low, saturation, second = four
    if any(byte & 0x80 for byte in four):
        raise UnknownLayout("Format 8 never sets bit 7; check the port's settings and the format.")
    doubtful = bool(first & 0x3C or second & 0x08)
    return settled(
        Sample(
            observations=(spo2(saturation, _NO_SATURATION, 0), pulse_rate((first & 3) << 7 | low, _NO_PULSE, 0)),
            status=flags(first, _DF8_FIRST) + flags(second, _DF8_SECOND),
            quality=Signal.CAUTION if doubtful else Signal.OK,
        )
    )


def _df13_size(window: bytes) -> int:
    if not _DF13_START.startswith(window[:2]):
        return -1
    if len(window) < _DF13_HEAD:
        return 0
    length = int.from_bytes(window[4:6], "big")
    return _DF13_HEAD + length + 2 if _DF13_LEAST <= length <= _DF13_LONGEST - 8 else -1


_DF13 = sized(rb"\x00", _df13_size, _DF13_LONGEST, lambda one: one[-1] == _DF13_END and one[-2] == sum8(one[6:-2]))


def decode_df13(frame: Frame) -> tuple[Sample, ...]:
    """Every spot check; raises Truncated, BadChecksum or UnknownLayout where there is none."""
    checks = frames_in(frame.payload, _DF13)
    return tuple(_df13(one) for one in checks or [frame.payload])


def _df13(packet: bytes) -> Sample:
    fields = Fields(packet)
    if fields.take(2) != _DF13_START:
        raise UnknownLayout("A spot check of format 13 begins with 00 02.")
    fields.u16be()
    length = fields.u16be()
    if not _DF13_LEAST <= length <= _DF13_LONGEST:
        raise UnknownLayout("Format 13 has 14 bytes of content or a few more.")
    content = fields.take(length)
    hold(fields.u8(), sum8(content))
    if fields.u8() != _DF13_END:
        raise UnknownLayout("A spot check of format 13 ends with 03.")
    fields.end()
    return _spot_check(Fields(content))


def _spot_check(fields: Fields) -> Sample:
    fields.take(8)  # the time: decimal or binary, no source settles it
    status, pulse = fields.u16be(), fields.u16be()
    fields.u8()
    saturation = fields.u8()
    words = {_SMARTPOINT: "smartpoint", _NO_MEASUREMENT: "no_measurement", _BATTERY_LOW: "battery_low"}
    failed = bool(status & _NO_MEASUREMENT)
    observations: tuple[Observation, ...] = (spo2(saturation, _NO_SATURATION, 0), pulse_rate(pulse, _NO_PULSE, 0))
    if failed:
        observations = (Absent(SPO2, Why.UNSUCCESSFUL), Absent(OXIMETER_PULSE_RATE, Why.UNSUCCESSFUL))
    return settled(
        Sample(
            observations=observations,
            origin=Origin.STORED if status & _FROM_MEMORY else Origin.LIVE,
            status=tuple(word for bit, word in words.items() if status & bit),
            quality=Signal.INVALID if failed else Signal.OK,
        )
    )


_LINES = lines(rb"(?:[0-9]{2}:[0-9]{2}:[0-9]{2} )?SPO2=", 80)


def decode_ascii(frame: Frame) -> tuple[Sample, ...]:
    """Every line of the real-time output."""
    return each_line(frame.payload, _LINES, _line)


def _line(text: str) -> tuple[Sample, ...]:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise UnknownLayout("The line is not SPO2=... HR=... as Nonin's manuals print it.")
    saturation = _NO_SATURATION if found["spo2"] == "---" else int(found["spo2"])
    pulse = _NO_PULSE if found["pulse"] == "---" else int(found["pulse"])
    if saturation > 100 and saturation != _NO_SATURATION:
        raise BadValue("SPO2 is above 100 %.")
    sample = Sample(
        observations=(spo2(saturation, _NO_SATURATION, 0), pulse_rate(pulse, _NO_PULSE, 0)),
        status=tuple(word for mark, word in _MARKS.items() if mark in found["marks"]),
        technical=(("time_of_day", found["time"]),) if found["time"] else (),
    )
    return (settled(sample),)


DRIVER = Driver(
    name="serial-nonin",
    version=1,
    link=Link.SERIAL,
    sources={"df2": decode_df2, "df8": decode_df8, "df13": decode_df13, "ascii": decode_ascii},
    lines={
        "df2": SerialLine(9600, _DF2, streams=True),
        "df8": SerialLine(9600, by_silence(64, 0.1), streams=True),
        "df13": SerialLine(9600, _DF13),
        "ascii": SerialLine(9600, _LINES, streams=True),
    },
    models=("Nonin Xpod", "Nonin 3150", "Nonin 9560", "Nonin 9600", "Nonin 4000", "Nonin 2500", "Nonin 8500"),
    reads=("spo2", "heart_rate"),
    grade=Grade.B,
    documented="open clients with a captured stream; manuals of the 9600, 4000, 2500, 8500 and 9847",
)
