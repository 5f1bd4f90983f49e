import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.protobuf import Field, fields
from gateway.core.errors import BadValue, DecodeError, Truncated, UnknownLayout


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_the_specification_s_own_examples() -> None:
    # protobuf.dev/programming-guides/encoding: 150 as a varint, "testing" as bytes
    assert list(fields(bytes.fromhex("089601"))) == [Field(1, 150)]
    assert list(fields(bytes.fromhex("120774657374696e67"))) == [Field(2, b"testing")]


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**20))
def test_a_whole_number_comes_back(value: int, number: int) -> None:
    (field,) = fields(varint(number << 3) + varint(value))
    assert (field.number, field.whole()) == (number, value)


@given(st.integers(-(2**31), 2**31 - 1))
def test_a_signed_number_comes_back(value: int) -> None:
    assert Field(1, value & 0xFFFFFFFF).signed(32) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_in_as_few_digits_as_name_it(value: float) -> None:
    number = Field(1, struct.pack("<f", value)).real()
    assert number is not None
    assert struct.pack("<f", float(number)) == struct.pack("<f", value)
    assert len(number.as_tuple().digits) <= 9


def test_a_float_says_what_was_meant() -> None:
    assert Field(1, struct.pack("<f", 36.43)).real() == Decimal("36.43")
    assert Field(1, struct.pack("<d", 81.6)).real() == Decimal("81.6")
    for odd in (float("nan"), float("inf")):
        assert Field(1, struct.pack("<d", odd)).real() is None


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ("08", Truncated),
        ("0896", Truncated),
        ("1207", Truncated),
        ("12ffffffffffffffffff01", Truncated),
        ("0b", UnknownLayout),
        ("0001", UnknownLayout),
        ("08" + "ff" * 11, BadValue),
    ],
)
def test_a_broken_message_is_refused(payload: str, error: type[DecodeError]) -> None:
    with pytest.raises(error):
        list(fields(bytes.fromhex(payload)))


def test_a_field_of_another_form_is_refused() -> None:
    for call in (Field(1, 5).raw, Field(1, b"x").whole, Field(1, b"\xff").text, Field(1, b"abc").real):
        with pytest.raises(BadValue):
            call()
