"""The cursor: whole fields or Truncated, exact numbers, specials that are never numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.fields import BROKEN_CLOCK, UNSTAMPED, Fields, civil, counted, flags, from_hex, observe, step
from gateway.core.errors import BadValue, Leftover, Truncated
from gateway.core.observation import KG, PERCENT, SPO2, WEIGHT, Absent, Measured, Why

# Named where the value comes from; the rest of IEEE 11073-20601 7.4.4 follows from the specials below.
SFLOATS = [
    ("7200", "114"),  # PureSwift/Bluetooth SFloatTests.swift@034a7e3066ab
    ("5eff", "-16.2"),  # the same
    ("2420", "3600"),  # the same
    ("0000", "0"),  # the same
    ("0102", "513"),  # weliem/blessed-kotlin ByteArrayExtenstionsTest.kt@baaf9fe5a22b
    ("ff02", "767"),  # the same
    ("ff0f", "-1"),  # oliexdev/openScale WeightGurusA3HandlerTest.kt@f7a733b2cb6e
    ("0180", "0.00000001"),  # the same: the least exponent
    ("6400", "100"),  # gary-quinn/kmp-ble Ieee11073Test.kt@71bdde57dcc8
    ("fd77", "20450000000"),  # worked out: the largest finite value
]
FLOATS = [
    ("2d1e00fe", "77.25"),  # oliexdev/openScale WeightGurusA3HandlerTest.kt@f7a733b2cb6e
    ("f4010000", "500"),  # the same
    ("6c0100ff", "36.4"),  # weliem/blessed-kotlin ByteArrayExtenstionsTest.kt@baaf9fe5a22b
    ("01fe03fc", "26.1633"),  # the same
    ("ff02fd04", "-1958410000"),  # the same
    ("e8030000", "1000"),  # gary-quinn/kmp-ble Ieee11073Test.kt@71bdde57dcc8
    ("420e00ff", "365.0"),  # the same
    ("710e00fe", "36.97"),  # stackoverflow.com/q/60841331, a thermometer's document
]
SPECIALS = {
    "ff07": Why.NOT_AVAILABLE,
    "0008": Why.NOT_AT_RESOLUTION,
    "fe07": Why.ABOVE_RANGE,
    "0208": Why.BELOW_RANGE,
    "0108": Why.RESERVED,
    "ffff7f00": Why.NOT_AVAILABLE,
    "00008000": Why.NOT_AT_RESOLUTION,
    "feff7f00": Why.ABOVE_RANGE,
    "02008000": Why.BELOW_RANGE,
    "01008000": Why.RESERVED,
}
READERS = ("u8", "s8", "u16le", "u16be", "s16le", "u24le", "u32le", "u32be", "sfloat", "float32", "date_time")


@pytest.mark.parametrize(("frame", "value"), SFLOATS)
def test_an_sfloat_is_read_exactly(frame: str, value: str) -> None:
    assert Fields(bytes.fromhex(frame)).sfloat() == Decimal(value)


@pytest.mark.parametrize(("frame", "value"), FLOATS)
def test_a_float_is_read_exactly(frame: str, value: str) -> None:
    read = Fields(bytes.fromhex(frame)).float32()
    assert read == Decimal(value)


def test_the_precision_a_device_sent_is_kept() -> None:
    assert str(Fields(bytes.fromhex("420e00ff")).float32()) == "365.0"
    assert str(Fields(bytes.fromhex("acf3")).sfloat()) == "94.0"


@pytest.mark.parametrize("frame", SPECIALS)
def test_a_special_is_a_reason_and_never_a_number(frame: str) -> None:
    fields = Fields(bytes.fromhex(frame))
    assert (fields.sfloat() if len(frame) == 4 else fields.float32()) is SPECIALS[frame]


@given(mantissa=st.integers(-2048, 2047), exponent=st.integers(-8, 7))
def test_every_sfloat_comes_back(mantissa: int, exponent: int) -> None:
    raw = (mantissa & 0xFFF) | (exponent & 0xF) << 12
    payload = raw.to_bytes(2, "little")
    expected = SPECIALS.get(payload.hex(), Decimal(mantissa).scaleb(exponent))
    assert Fields(payload).sfloat() == expected
    assert Fields(payload).sfloat_of(SPO2, PERCENT) == observe(SPO2, expected, PERCENT)
    assert Fields(payload[::-1]).sfloat_be_of(SPO2, PERCENT) == observe(SPO2, expected, PERCENT)


@given(raw=st.integers(0, 2**32 - 1), size=st.sampled_from([1, 2, 3, 4]))
def test_integers_come_back(raw: int, size: int) -> None:
    raw &= 256**size - 1
    little, big = raw.to_bytes(size, "little"), raw.to_bytes(size, "big")
    top = 256**size
    signed = raw - top if raw >= top // 2 else raw
    readers = {
        1: [(little, Fields.u8, raw), (little, Fields.s8, signed)],
        2: [(little, Fields.u16le, raw), (big, Fields.u16be, raw), (little, Fields.s16le, signed)],
        3: [(little, Fields.u24le, raw)],
        4: [(little, Fields.u32le, raw), (big, Fields.u32be, raw)],
    }
    for payload, read, expected in readers[size]:
        fields = Fields(payload)
        assert read(fields) == expected
        fields.end()


@given(frame=st.binary(max_size=8), names=st.lists(st.sampled_from(READERS), max_size=6))
def test_a_field_is_whole_or_the_frame_is_truncated(frame: bytes, names: list[str]) -> None:
    fields = Fields(frame)
    for name in names:
        before = fields.left()
        try:
            getattr(fields, name)()
        except Truncated:
            assert fields.left() == before or name == "date_time"
            return
        assert fields.left() < before


@given(frame=st.binary(max_size=8), size=st.integers(0, 9))
def test_take_gives_exactly_what_was_asked(frame: bytes, size: int) -> None:
    fields = Fields(frame)
    if size > len(frame):
        with pytest.raises(Truncated, match=f"after {len(frame)} bytes"):
            fields.take(size)
        return
    assert fields.take(size) == frame[:size]
    assert fields.rest() == frame[size:]
    assert fields.left() == 0


def test_bytes_after_the_last_field_are_leftover_only_where_asked() -> None:
    fields = Fields(b"\x01\x02")
    fields.u8()
    with pytest.raises(Leftover, match="1 bytes"):
        fields.end()
    fields.rest()
    fields.end()


@pytest.mark.parametrize("frame", ["0000041114293b", "e20700110f3300", "e20704000f3300"])
def test_a_date_with_an_unknown_part_is_no_time(frame: str) -> None:
    assert Fields(bytes.fromhex(frame)).date_time() == UNSTAMPED


@pytest.mark.parametrize("frame", ["e8070d0f081e00", "e807021e081e00", "e807060f181e00", "ffff060f081e00"])
def test_a_date_that_does_not_exist_costs_the_time_alone(frame: str) -> None:
    assert Fields(bytes.fromhex(frame)).date_time() == BROKEN_CLOCK


def test_a_date_time_is_civil_and_unzoned() -> None:
    # NordicSemiconductor/Android-BLE-Common-Library DateTimeDataCallbackTest.java@c078e2579fe5
    time = Fields(bytes.fromhex("e20704110f3300")).date_time().time
    assert time is not None
    assert (time.text, time.offset_minutes) == ("2018-04-17T15:51:00", None)
    assert civil(2018, 4, 17, 15, 51) == civil(2018, 4, 17, 15, 51, 0)


def test_a_cut_date_time_is_truncated() -> None:
    with pytest.raises(Truncated):
        Fields(bytes.fromhex("e20704110f33")).date_time()


def test_text_ends_at_a_zero_byte() -> None:
    fields = Fields(b"ABC\0\xc3\xa9\0")
    assert (fields.text(), fields.text(), fields.left()) == ("ABC", "é", 0)
    with pytest.raises(Truncated):
        Fields(b"ABC").text()
    with pytest.raises(BadValue):
        Fields(b"\xff\0").text()


def test_steps_are_exact_and_keep_their_places() -> None:
    assert str(step(14000, "0.005")) == "70.000"
    assert counted(WEIGHT, 14000, KG, "0.005") == Measured(WEIGHT, Decimal("70.000"), KG)
    assert observe(WEIGHT, Why.UNSUCCESSFUL, KG) == Absent(WEIGHT, Why.UNSUCCESSFUL)


def test_flags_name_set_bits_lowest_first_and_ignore_reserved_ones() -> None:
    names = ("a", None, "c")
    assert flags(0b111, names) == ("a", "c")
    assert flags(0, names) == flags(0xF0, names) == ()


def test_hex_may_have_spaces_and_nothing_else() -> None:
    assert from_hex("0a 0B") == b"\x0a\x0b"
    with pytest.raises(BadValue):
        from_hex("0x0a")
