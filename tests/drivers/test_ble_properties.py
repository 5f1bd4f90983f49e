"""What holds for every Bluetooth decoder and every frame, and built frames read back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Driver, Link
from drivers.registry import find, named
from gateway.core.errors import DecodeError, Truncated
from gateway.core.observation import (
    BODY_MASS_INDEX,
    DIASTOLIC,
    HEIGHT,
    KPA,
    MEAN_ARTERIAL,
    MMHG,
    OXIMETER_PULSE_RATE,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    WEIGHT,
    Measured,
    Why,
)
from gateway.core.reading import Context, Frame, Origin, Sample, SampleKind, Signal
from tests.drivers import vectors

BLE = [driver for driver in find().values() if driver.link is Link.BLE]
SOURCES = [(driver, source) for driver in BLE for source in driver.sources]
# the SIG's services, where whatever follows the last field is ignored
SIG = [(driver, source) for driver, source in SOURCES if source.startswith(("2A", "2B"))]
OWN_LENGTH = {"ble-beurer-bm85", "ble-renpho"}  # a SIG characteristic with a vendor's layout


def cases(rows: list[tuple[Driver, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("driver", "source"), rows, ids=lambda x: x if isinstance(x, str) else x.name)


def decoded(driver: Driver, source: str, payload: bytes) -> tuple[Sample, ...] | DecodeError:
    try:
        return driver.decode(Frame(payload, source))
    except DecodeError as error:
        return error


@cases(SOURCES)
@given(payload=st.binary(max_size=40))
def test_any_bytes_decode_or_raise_a_decode_error(driver: Driver, source: str, payload: bytes) -> None:
    result = decoded(driver, source, payload)
    if isinstance(result, DecodeError):
        assert str(result).endswith(".")
        return
    for sample in result:
        for seen in sample.measured:
            assert "E" not in seen.text


@cases(SOURCES)
def test_an_empty_frame_is_refused(driver: Driver, source: str) -> None:
    assert isinstance(decoded(driver, source, b""), DecodeError)


@cases(SOURCES)
@given(data=st.data())
def test_every_prefix_and_flipped_bit_decodes_or_is_refused(driver: Driver, source: str, data: st.DataObject) -> None:
    frames = [v.as_frame(driver).payload for v in vectors.load(driver.name) if v.format in (source, None)]
    payload = data.draw(st.sampled_from(frames))
    cut = data.draw(st.integers(0, len(payload)))
    decoded(driver, source, payload[:cut])
    if payload:
        at, bit = data.draw(st.integers(0, len(payload) - 1)), data.draw(st.integers(0, 7))
        decoded(driver, source, payload[:at] + bytes((payload[at] ^ 1 << bit,)) + payload[at + 1 :])


@cases([row for row in SIG if row[0].name not in OWN_LENGTH and row[1] != "2B36"])
@given(payload=st.binary(max_size=32), more=st.binary(min_size=1, max_size=4))
def test_bytes_after_the_last_field_change_nothing(driver: Driver, source: str, payload: bytes, more: bytes) -> None:
    before = decoded(driver, source, payload)
    if not isinstance(before, DecodeError):
        assert decoded(driver, source, payload + more) == before


@dataclass(frozen=True)
class Number:
    """An SFLOAT as it lies on the wire and what it means."""

    wire: bytes
    value: Decimal | Why


def sfloat(mantissa: int, exponent: int) -> Number:
    wire = ((mantissa & 0xFFF) | (exponent & 0xF) << 12).to_bytes(2, "little")
    return Number(wire, Decimal(mantissa).scaleb(exponent))


NAN = Number(b"\xff\x07", Why.NOT_AVAILABLE)
NRES = Number(b"\x00\x08", Why.NOT_AT_RESOLUTION)
NUMBERS = st.one_of(st.builds(sfloat, st.integers(1, 2045), st.integers(-4, 0)), st.sampled_from([NAN, NRES]))
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda t: t.replace(microsecond=0))  # noqa: DTZ001 -- a device's clock has no zone


def wire_time(time: datetime) -> bytes:
    return time.year.to_bytes(2, "little") + bytes((time.month, time.day, time.hour, time.minute, time.second))


def values(sample: Sample) -> dict[str, Decimal | Why]:
    return {o.kind.code: o.value if isinstance(o, Measured) else o.why for o in sample.observations}


@given(
    three=st.tuples(NUMBERS, NUMBERS, NUMBERS),
    is_kpa=st.booleans(),
    time=st.none() | TIMES,
    pulse=st.none() | NUMBERS,
    user=st.none() | st.integers(0, 255),
    status=st.none() | st.integers(0, 0xFFFF),
)
def test_a_built_blood_pressure_reads_back(
    three: tuple[Number, Number, Number],
    is_kpa: bool,
    time: datetime | None,
    pulse: Number | None,
    user: int | None,
    status: int | None,
) -> None:
    bits = (
        is_kpa
        | (time is not None) << 1
        | (pulse is not None) << 2
        | (user is not None) << 3
        | (status is not None) << 4
    )
    payload = bytes((bits,)) + b"".join(number.wire for number in three)
    payload += wire_time(time) if time else b""
    payload += pulse.wire if pulse else b""
    payload += bytes((user,)) if user is not None else b""
    payload += status.to_bytes(2, "little") if status is not None else b""
    (sample,) = named("ble-blood-pressure").decode(Frame(payload, "2A35"))
    expected = {k.code: n.value for k, n in zip((SYSTOLIC, DIASTOLIC, MEAN_ARTERIAL), three, strict=True)}
    assert values(sample) == expected | ({PULSE_RATE.code: pulse.value} if pulse else {})
    assert {o.unit for o in sample.measured if o.kind is not PULSE_RATE} <= {KPA if is_kpa else MMHG}
    assert (sample.device_time.local if sample.device_time else None) == time
    assert sample.slot == (None if user == 255 else user)
    assert ("body_movement" in sample.status) == bool((status or 0) & 1)
    for end in range(len(payload)):
        with pytest.raises(Truncated):
            named("ble-blood-pressure").decode(Frame(payload[:end], "2A35"))


@given(
    raw=st.integers(0, 0xFFFF),
    is_imperial=st.booleans(),
    time=st.none() | TIMES,
    user=st.none() | st.integers(0, 255),
    index=st.none() | st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)),
)
def test_a_built_weight_reads_back(
    raw: int, is_imperial: bool, time: datetime | None, user: int | None, index: tuple[int, int] | None
) -> None:
    bits = is_imperial | (time is not None) << 1 | (user is not None) << 2 | (index is not None) << 3
    payload = bytes((bits,)) + raw.to_bytes(2, "little")
    payload += wire_time(time) if time else b""
    payload += bytes((user,)) if user is not None else b""
    payload += b"".join(part.to_bytes(2, "little") for part in index) if index else b""
    (sample,) = named("ble-weight-scale").decode(Frame(payload, "2A9D"))
    weight = Why.UNSUCCESSFUL if raw == 0xFFFF else raw * Decimal("0.01" if is_imperial else "0.005")
    expected: dict[str, Decimal | Why] = {WEIGHT.code: weight}
    if index:
        body, height = index
        expected[BODY_MASS_INDEX.code] = body * Decimal("0.1") if body else Why.NOT_SUPPORTED
        expected[HEIGHT.code] = height * Decimal("0.1" if is_imperial else "0.001") if height else Why.NOT_SUPPORTED
    assert values(sample) == expected
    assert (sample.device_time.local if sample.device_time else None) == time
    assert sample.slot == (None if user == 255 else user)


@given(
    pair=st.tuples(NUMBERS, NUMBERS),
    time=st.none() | TIMES,
    status=st.none() | st.integers(0, 0xFFFF),
    sensor=st.none() | st.integers(0, 0xFFFFFF),
    is_clock_unset=st.booleans(),
)
def test_a_built_spot_check_reads_back(
    pair: tuple[Number, Number], time: datetime | None, status: int | None, sensor: int | None, is_clock_unset: bool
) -> None:
    bits = (time is not None) | (status is not None) << 1 | (sensor is not None) << 2 | is_clock_unset << 4
    payload = bytes((bits,)) + pair[0].wire + pair[1].wire
    payload += wire_time(time) if time else b""
    payload += status.to_bytes(2, "little") if status is not None else b""
    payload += sensor.to_bytes(3, "little") if sensor is not None else b""
    (sample,) = named("ble-pulse-oximeter").decode(Frame(payload, "2A5E"))
    assert values(sample) == {SPO2.code: pair[0].value, OXIMETER_PULSE_RATE.code: pair[1].value}
    assert (sample.device_time.local if sample.device_time else None) == (None if is_clock_unset else time)
    bits = status or 0
    assert (sample.origin is Origin.STORED) == bool(bits & 1 << 9)
    assert (sample.context is Context.TEST) == bool(bits & (1 << 10 | 1 << 11))
    assert (sample.quality is Signal.INVALID) == bool(bits & (1 << 13 | 1 << 15))


@pytest.mark.parametrize(
    ("name", "source", "payload"),
    [
        ("ble-blood-pressure", "2A36", "009c00ff07ff07"),
        ("ble-blood-pressure", "2B35", "009c00"),
        ("ble-andesfit", "FFF4", "2064"),
        ("ble-beurer-scale", "FFE1", "f758010665"),
        ("ble-xiaomi-scale", "181B", "0204b207010112101a0000a852"),
        ("ble-xiaomi-scale", "181B", "0282b20705040f020100000000"),
        ("ble-body-composition", "2A9C", "9803000096230000000000000000"),
        ("ble-glucose", "2A18", "030100e407030e1717000000ffff11"),
        ("ble-glucose", "2A34", "02070003"),
        ("ble-thermometer", "2A1E", "046e0100ff03"),
    ],
)
def test_what_is_on_its_way_or_a_filler_is_never_a_reading(name: str, source: str, payload: str) -> None:
    samples = named(name).decode(Frame(bytes.fromhex(payload), source))
    assert {sample.kind for sample in samples} == {SampleKind.STATUS}


def test_one_weighing_advertised_again_is_the_same_event() -> None:
    # theengs/decoder tests/BLE/test_ble.cpp@d6fdd205ca67: standing on the scale, and after stepping off
    decode = named("ble-xiaomi-scale").decode
    standing, gone = (decode(Frame(bytes.fromhex(h), "181D")) for h in ("223e30e607020e10293a", "a23e30e607020e10293a"))
    assert standing == gone
    early, late = (
        decode(Frame(bytes.fromhex(h), "181B")) for h in ("0324e607020e10293a0000f136", "0326e607020e10293af701f136")
    )
    assert early == late[:1]


def test_a_block_of_memory_gives_its_filled_slots_alone() -> None:
    # eigger/hass-omron issue 7, with its record replaced by an empty slot and the check made anew
    reply = bytes.fromhex("16810002e80e53444f19ed263a1700001400770000b7")
    empty = reply[:6] + b"\xff" * 14 + b"\x00"
    check = 0
    for byte in empty:
        check ^= byte
    assert len(named("ble-omron").decode(Frame(reply, "read14le"))) == 1
    assert named("ble-omron").decode(Frame(empty + bytes((check,)), "read14le")) == ()
