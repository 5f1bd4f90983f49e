"""
Masimo's MightySat and MightySat Rx on their own service.

Source:  Masimo's CSD-1322B as quoted by public clients, unit tests of a MightySat reader, one capture (the reply to
         "info"). Oximeters that show service 0x1822 as well: driver ble-pulse-oximeter.
Units:   percent; beats and breaths per minute; perfusion index in steps of 0.01 %.
Order:   77, length, message, CRC-8. Message 05, once a second: 05, system exceptions (4 bytes), then an exception byte
         before each value: SpO2, pulse, variability index, perfusion index (2 bytes), respiration
Quirks:  A value of all ones, or exception bit 2, is no value; exception bit 0 is low confidence. Replies longer than 20
         bytes come in pieces and are joined by their length before they come here.
"""

from drivers.checks import crc8, hold
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, counted
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    PERFUSION_INDEX,
    RESPIRATION_RATE,
    SPO2,
    Absent,
    Kind,
    Observation,
    Why,
)
from gateway.core.reading import Frame, Sample, Signal

_START = 0x77
_LIVE = 0x05
_WITHOUT_VALUES = frozenset({0x01, 0x04, 0xFE, 0xFF})  # info, waveform, yes, no
_SENSOR_OFF = 1 << 21
_LOW_CONFIDENCE, _INVALID = 1 << 0, 1 << 2
_VARIABILITY = Kind("VG_PLETH_VARIABILITY_INDEX", "spo2")
_VALUES = (
    (SPO2, 1, PERCENT, "1", "spo2_low_confidence"),
    (OXIMETER_PULSE_RATE, 1, PER_MINUTE, "1", "pulse_low_confidence"),
    (_VARIABILITY, 1, PERCENT, "1", "variability_low_confidence"),
    (PERFUSION_INDEX, 2, PERCENT, "0.01", "perfusion_low_confidence"),
    (RESPIRATION_RATE, 1, PER_MINUTE, "1", "respiration_low_confidence"),
)
_DOUBTFUL = frozenset({"sensor_off", "spo2_low_confidence", "pulse_low_confidence"})


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One whole message; no sample where it holds no values."""
    fields = Fields(frame.payload)
    if fields.u8() != _START:
        raise UnknownLayout("A MightySat's message begins with 77.")
    body = fields.take(max(fields.u8() - 1, 0))
    hold(fields.u8(), crc8(body))
    fields.end()
    message = Fields(body)
    name = message.u8()
    if name == _LIVE:
        return (_live(message),)
    if name in _WITHOUT_VALUES:
        return ()
    raise UnknownLayout(f"What a MightySat says in message {name:02X} is not known.")


def _live(message: Fields) -> Sample:
    words = ["sensor_off"] if message.u32le() & _SENSOR_OFF else []
    seen: list[Observation] = []
    for kind, size, unit, scale, word in _VALUES:
        exception = message.u8()
        raw = message.u8() if size == 1 else message.u16le()
        if exception & _INVALID or raw == (1 << 8 * size) - 1:
            seen.append(Absent(kind, Why.NOT_AVAILABLE))
            continue
        seen.append(counted(kind, raw, unit, scale))
        words += [word] if exception & _LOW_CONFIDENCE else []
    message.end()
    return Sample(
        observations=tuple(seen),
        status=tuple(words),
        quality=Signal.OK if _DOUBTFUL.isdisjoint(words) else Signal.CAUTION,
    )


DRIVER = Driver(
    name="ble-masimo",
    version=1,
    link=Link.BLE,
    sources={"54C21002": decode},
    models=("Masimo MightySat", "Masimo MightySat Rx"),
    reads=("spo2", "heart_rate", "respiration"),
    grade=Grade.A,
    documented="Masimo CSD-1322B as quoted by public clients; unit tests and a capture",
)
