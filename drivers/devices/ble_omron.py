"""
Omron cuffs that give their memory instead of the Blood Pressure Service.

Source:  eigger/hass-omron and userx14/omblepy, with captures from HEM-7142T2, 7143T1, 7322T, 7600T and others; Omron
         publishes nothing. Cuffs with the Bluetooth SIG's services: driver ble-blood-pressure.
Units:   mmHg; beats per minute. Systolic is stored less 25.
Order:   record14le  systolic - 25, diastolic, pulse, year, packed date and flags, packed minute and second, 2 unknown,
                     number, 2 unknown; 14 bytes, or 16 on some models
         record14be  the same facts packed from the highest bit: diastolic first
         record24    as record14le with the error code at byte 17 (HEM-9601T, HEM-9700T)
         read14le, read14be  a whole reply to a memory read: length, type, address, size, records, 0, check
Quirks:  Empty slots are all FF, all 00 or begin E2; a slot is refused, a whole reply leaves it out. Seconds above 59
         are read as 59, as every open client does. HEM-6232T may have irregular pulse and movement the other way round:
         its two public clients disagree; it is read here like its sisters. Whose record it is, its address says and not
         its bytes. The number counts up in every capture of 14-byte records; of 16-byte ones none is public.
"""

from collections.abc import Iterator

from drivers.checks import hold, xor8
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, civil, counted, flags
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import DIASTOLIC, MMHG, PER_MINUTE, PULSE_RATE, SYSTOLIC
from gateway.core.reading import Frame, Origin, Sample, Signal

_SYSTOLIC_LEAST = 25
_SYSTOLIC_STORED_MAX = 0xE1  # 250 mmHg; what lies above fills an empty slot
_SHORT, _LONG = 14, 16
_READ_REPLY = 0x8100


def record_little(frame: Frame) -> tuple[Sample, ...]:
    """One record of 14 or 16 bytes, low byte first; raises UnknownLayout for an empty slot."""
    return (_filled(_little(frame.payload)),)


def record_big(frame: Frame) -> tuple[Sample, ...]:
    """One record of 14 bytes packed from the highest bit; raises UnknownLayout for an empty slot."""
    return (_filled(_big(frame.payload)),)


def record_long(frame: Frame) -> tuple[Sample, ...]:
    """One record of 24 bytes; raises BadValue where the cuff stored an error in place of a measurement."""
    fields = Fields(frame.payload)
    head = fields.take(_SHORT)
    fields.take(3)
    error = fields.u8()
    fields.take(6)
    fields.end()
    if error:
        raise BadValue(f"The cuff stored error {error} in place of a measurement; the person measures again.")
    return (_filled(_little(head)),)


def reply_little(frame: Frame) -> tuple[Sample, ...]:
    """A whole reply to a memory read that holds 14-byte records, low byte first."""
    return tuple(sample for sample in map(_little, _records(frame.payload)) if sample)


def reply_big(frame: Frame) -> tuple[Sample, ...]:
    """A whole reply to a memory read that holds 14-byte records packed from the highest bit."""
    return tuple(sample for sample in map(_big, _records(frame.payload)) if sample)


def _records(reply: bytes) -> Iterator[bytes]:
    fields = Fields(reply)
    size = fields.u8()
    kind, _address = fields.u16be(), fields.u16be()  # the address says whose record it is; who asked knows it
    block = Fields(fields.take(fields.u8()))
    fields.take(2)
    fields.end()
    hold(xor8(reply), 0)
    if kind != _READ_REPLY or size != len(reply):
        raise UnknownLayout("This is no whole reply to a memory read.")
    while block.left():
        yield block.take(_SHORT)


def _little(record: bytes) -> Sample | None:
    fields = Fields(record)
    systolic, diastolic, pulse, year = fields.u8(), fields.u8(), fields.u8(), fields.u8()
    words = fields.u16le(), fields.u16le()
    fields.take(2)
    number = fields.u16le()
    fields.take(2)
    if len(record) == _LONG:
        fields.take(_LONG - _SHORT)
        number = 0
    fields.end()
    return _sample((systolic, diastolic, pulse), year, words, number)


def _big(record: bytes) -> Sample | None:
    fields = Fields(record)
    diastolic, systolic, year, pulse = fields.u8(), fields.u8(), fields.u8(), fields.u8()
    words = fields.u16be(), fields.u16be()
    fields.take(6)
    fields.end()
    return _sample((systolic, diastolic, pulse), year, words, 0)


def _sample(values: tuple[int, int, int], year: int, words: tuple[int, int], number: int) -> Sample | None:
    """
    A record, None for an empty slot.

    First word: movement, irregular pulse, month (4 bits), day (5), hour (5). Second: position (2), battery, cuff,
    minute (6), second (6); what the first four of these say when they are set is not known.
    """
    systolic, diastolic, pulse = values
    if systolic > _SYSTOLIC_STORED_MAX or not any((diastolic, pulse, year, *words)):
        return None
    day, minute = words
    stamp = civil(
        2000 + (year & 0x3F), day >> 10 & 0xF, day >> 5 & 0x1F, day & 0x1F, minute >> 6 & 0x3F, min(minute & 0x3F, 59)
    )
    status = flags(day >> 14, ("irregular_pulse", "body_movement"))
    return Sample(
        observations=(
            counted(SYSTOLIC, systolic + _SYSTOLIC_LEAST, MMHG),
            counted(DIASTOLIC, diastolic, MMHG),
            counted(PULSE_RATE, pulse, PER_MINUTE),
        ),
        device_time=stamp.time,
        origin=Origin.STORED,
        message_id=str(number) if number else None,
        status=status + stamp.status,
        quality=Signal.CAUTION if "body_movement" in status else Signal.OK,
    )


def _filled(sample: Sample | None) -> Sample:
    if sample is None:
        raise UnknownLayout("This slot of the cuff's memory is empty.")
    return sample


DRIVER = Driver(
    name="ble-omron",
    version=1,
    link=Link.BLE,
    sources={
        "record14le": record_little,
        "record14be": record_big,
        "record24": record_long,
        "read14le": reply_little,
        "read14be": reply_big,
    },
    models=(
        "Omron HEM-7142T2",
        "Omron HEM-7143T1",
        "Omron HEM-7155T",
        "Omron HEM-7322T (M700)",
        "Omron HEM-7361T (M7 Intelli IT)",
        "Omron HEM-7530T (Complete)",
        "Omron HEM-7600T (Evolv)",
        "Omron HEM-6232T (RS7)",
        "Omron HEM-9601T",
    ),
    reads=("blood_pressure", "heart_rate"),
    grade=Grade.B,
    documented="eigger/hass-omron and userx14/omblepy, with captures",
)
