import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.payload import PAYLOAD_BYTES_MAX, Node, each_message, read_json
from drivers.quantities import fixed, mac, measured, stated, technical, unit_missing
from gateway.core.errors import BadValue, DecodeError, Truncated, UnknownLayout
from gateway.core.observation import (
    GRAM,
    MMHG,
    PA,
    PERCENT,
    POUND,
    ROOM_TEMPERATURE,
    SPO2,
    SYSTOLIC,
    WEIGHT,
    Absent,
    Measured,
    Why,
)
from gateway.core.reading import Frame, Sample


def read(text: str) -> Node:
    return read_json(text.encode())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": "\\ud800"}',
        b'{"a": 1e99999999999999999999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 5000,
        b"[" * 100_000 + b"]" * 100_000,
        b'"' + b"x" * PAYLOAD_BYTES_MAX + b'"',
    ],
    ids=lambda payload: repr(payload[:24]),
)
def test_what_is_no_strict_json_is_refused(payload: bytes) -> None:
    with pytest.raises(UnknownLayout):
        read_json(payload)


def test_the_largest_payload_is_still_read() -> None:
    assert len(read_json(b'"' + b"x" * (PAYLOAD_BYTES_MAX - 2) + b'"').text()) == PAYLOAD_BYTES_MAX - 2


@pytest.mark.parametrize("text", ["72.00", "0.1", "36.43000031", "-4", "77.5643875134944", "0.30000000000000004"])
def test_a_number_keeps_every_digit(text: str) -> None:
    assert str(read(f'{{"a": {text}}}')["a"].number()) == text
    assert str(read(f'{{"a": "{text}"}}')["a"].numeral()) == text


@pytest.mark.parametrize("text", ["1e999", "-1e-999999", "1" * 19, "1e19"])
def test_a_number_no_device_can_mean_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="can mean"):
        read(f'{{"a": {text}}}')["a"].number()


@pytest.mark.parametrize("value", ["true", '"72"', "null", "[]", "{}", '""'])
def test_only_a_number_is_a_number(value: str) -> None:
    with pytest.raises(DecodeError):
        read(f'{{"a": {value}}}')["a"].number()


@pytest.mark.parametrize(
    "text", ["", " 72", "72 ", "7,2", "0x48", "1e2", "NaN", "--1", "٧٢", "1_000", "+5", ".5", "5."]
)
def test_text_that_only_resembles_a_number_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        Node(text, key="a").numeral()


def test_an_absent_and_a_null_field_are_both_missing() -> None:
    root = read('{"a": null, "b": {"c": 1}}')
    for key in ("a", "z"):
        assert root.maybe(key) is None
        assert key not in root
        with pytest.raises(Truncated, match=rf"no {key}\."):
            _ = root[key]
    with pytest.raises(Truncated, match=r"no b\.d\."):
        _ = root["b"]["d"]


def test_a_refusal_names_the_field_and_not_its_value() -> None:
    root = read('{"rows": [{"kind": "Jane Roe"}]}')
    (row,) = root["rows"].each()
    with pytest.raises(BadValue, match=r"rows\[0\]\.kind is none of a, b") as caught:
        row["kind"].word({"a": 1, "b": 2})
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(("value", "flag", "bit"), [(True, True, True), (False, False, False), (1, None, True)])
def test_flags_and_bits(value: object, flag: object, bit: bool) -> None:
    assert Node(value).bit() is bit
    if flag is None:
        with pytest.raises(BadValue):
            Node(value).flag()
    else:
        assert Node(value).flag() is flag


@pytest.mark.parametrize("value", [2, -1, "1", 1.0, None, []])
def test_other_things_are_no_bit(value: object) -> None:
    with pytest.raises(BadValue):
        Node(value).bit()


@pytest.mark.parametrize("value", ["", "x" * 129, "a\nb", "a\x00", "\u202e", 1.5, True, None])
def test_what_is_no_identity_is_refused(value: object) -> None:
    with pytest.raises(BadValue):
        Node(value).identifier()


def test_an_identity_may_be_a_large_number() -> None:
    assert Node(500000000000372).identifier() == "500000000000372"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2021-11-29T16:18:10+00:00", "2021-11-29T16:18:10+00:00"),
        ("2021-11-29T16:18:10Z", "2021-11-29T16:18:10+00:00"),
        ("2021-11-29 16:18:10", "2021-11-29T16:18:10"),
        ("2020-01-01T07:29:00", "2020-01-01T07:29:00"),
        ("2022-05-18T13:46:01+01:00", "2022-05-18T13:46:01+01:00"),
        ("2021-11-29T16:18:10.248142Z", "2021-11-29T16:18:10.248142+00:00"),
    ],
)
def test_a_time_is_kept_as_it_was_written(text: str, said: str) -> None:
    assert Node(text).time().text == said


@pytest.mark.parametrize(
    "value",
    [
        "2021-11-29",
        "20211129T161810",
        "2021-W48-1T16:18:10",
        "2021-13-29T16:18:10",
        "2021-02-30T16:18:10",
        "2021-11-29T25:18:10",
        "2021-11-29T16:18:10+24:00",
        "2021-11-29T16:18:10+15:00",
        "0000-11-29T16:18:10",
        "yesterday",
        1638202690,
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(BadValue):
        Node(value).time()


@pytest.mark.parametrize("value", [-1, 10**18, 253402300800000, 1.5, True, "1e3", "", None, [], "-5"])
def test_what_is_no_epoch_is_refused(value: object) -> None:
    with pytest.raises(BadValue):
        Node(Decimal(str(value)) if isinstance(value, float) else value).epoch_ms()


def test_seconds_and_milliseconds_are_what_the_maker_says() -> None:
    assert Node(1647349680).epoch_s().text == "2022-03-15T13:08:00+00:00"
    assert Node("1721382524000").epoch_ms().text == "2024-07-19T09:48:44+00:00"
    with pytest.raises(BadValue):
        Node(1721382524000).epoch_s()


def test_a_list_is_every_message_or_none() -> None:
    def one(node: Node) -> tuple[Sample, ...]:
        return (Sample(message_id=node["id"].identifier()),)

    assert [s.message_id for s in each_message(Frame(b'[{"id": 1}, {"id": 2}]'), one)] == ["1", "2"]
    assert [s.message_id for s in each_message(Frame(b'{"id": 1}'), one)] == ["1"]
    with pytest.raises(UnknownLayout):
        each_message(Frame(b"[]"), one)
    with pytest.raises(Truncated):
        each_message(Frame(b'[{"id": 1}, {}]'), one)


def test_a_filler_is_absent_and_an_impossible_number_refused() -> None:
    assert measured(SPO2, Decimal(127), PERCENT) == Absent(SPO2, Why.NOT_AVAILABLE)
    assert measured(WEIGHT, Decimal("999.99"), POUND) == Absent(WEIGHT, Why.NOT_AVAILABLE)
    assert measured(SYSTOLIC, Decimal(65535), PA) == Measured(SYSTOLIC, Decimal(65535), PA)
    assert measured(WEIGHT, Decimal(65535), GRAM) == Measured(WEIGHT, Decimal(65535), GRAM)
    assert isinstance(measured(ROOM_TEMPERATURE, Decimal(-5), PERCENT), Measured)
    for number, unit in ((Decimal(101), PERCENT), (Decimal(-1), PERCENT)):
        with pytest.raises(BadValue):
            measured(SPO2, number, unit)


def test_a_unit_is_stated_or_the_value_is_none() -> None:
    units = {"mmHg": MMHG}
    assert stated(read('{"value": 120.0, "unit": "mmHg"}'), SYSTOLIC, units) == Measured(
        SYSTOLIC, Decimal("120.0"), MMHG
    )
    for text in ('{"value": 120}', '{"value": 120, "unit": null}', '{"unit": "mmHg"}'):
        with pytest.raises(Truncated):
            stated(read(text), SYSTOLIC, units)
    with pytest.raises(BadValue):
        stated(read('{"value": 120, "unit": "mmhg"}'), SYSTOLIC, units)
    assert unit_missing(Node("108"), SYSTOLIC).why is Why.UNIT_NOT_STATED
    with pytest.raises(BadValue):
        unit_missing(Node("HI"), SYSTOLIC)
    with pytest.raises(BadValue):
        fixed(Node("120"), SYSTOLIC, MMHG)


def test_technical_facts_are_plain_numbers_or_nothing() -> None:
    node = read('{"a": 1, "b": "2.50", "c": "Jane Roe", "d": 1e999, "e": null, "f": [1]}')
    assert technical(node, {key: key for key in "abcdefg"}) == (("a", "1"), ("b", "2.50"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("d616f9641622", "D6:16:F9:64:16:22"),
        ("AB-CD-EF-12-34-5e", "AB:CD:EF:12:34:5E"),
        ("ab:cd:ef:12:34:5e", "AB:CD:EF:12:34:5E"),
        ("SM5000", "SM5000"),
    ],
)
def test_an_address_is_written_one_way(text: str, said: str) -> None:
    assert mac(text) == said


@given(st.recursive(st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(), st.lists))
def test_any_json_is_read_as_python_reads_it(value: object) -> None:
    assert read_json(json.dumps(value, ensure_ascii=False).encode()).value == value
