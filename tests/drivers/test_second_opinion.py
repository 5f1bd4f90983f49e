"""
The PyPI package bluetooth-sig as a second reader of the characteristics that hold integers.

Its SFLOAT and FLOAT are left out: version 0.6.0 takes their exponents as biased and refuses NaN.
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.registry import named
from gateway.core.observation import (
    BASAL_METABOLISM,
    BODY_FAT,
    BODY_IMPEDANCE,
    BODY_MASS_INDEX,
    BODY_WATER_MASS,
    FAT_FREE_MASS,
    HEART_RATE,
    HEIGHT,
    MUSCLE_MASS,
    MUSCLE_PERCENT,
    SOFT_LEAN_MASS,
    WEIGHT,
    Kind,
)
from gateway.core.reading import Frame, Sample

_other = pytest.importorskip("bluetooth_sig.gatt.characteristics", reason="the package bluetooth-sig is not installed")

# what both read without leave to differ: no failed weighing, no unknown user, no filler of 0
VALUE = st.integers(1, 60_000).map(lambda raw: raw.to_bytes(2, "little"))
TIME = st.datetimes().map(lambda t: t.year.to_bytes(2, "little") + bytes((t.month, t.day, t.hour, t.minute, t.second)))
USER = st.integers(0, 254).map(lambda user: bytes((user,)))


def opinion(module: str, name: str, payload: bytes) -> Any:
    found = getattr(pytest.importorskip(f"bluetooth_sig.gatt.characteristics.{module}"), name)
    return found().parse_value(bytearray(payload))


def agree(sample: Sample, pairs: dict[Kind, float | None]) -> None:
    """Theirs is a binary fraction: equal where ours, rounded to one, is theirs."""
    ours = {o.kind: o.value for o in sample.measured}
    theirs = {kind: Decimal(str(round(value, 6))) for kind, value in pairs.items() if value is not None}
    assert ours == theirs


def optional(bits: int, fields: list[tuple[int, bytes]]) -> bytes:
    return b"".join(field for bit, field in fields if bits & bit)


@given(bits=st.integers(0, 15), time=TIME, user=USER, values=st.tuples(VALUE, VALUE, VALUE))
def test_weight(bits: int, time: bytes, user: bytes, values: tuple[bytes, bytes, bytes]) -> None:
    weight, index, height = values
    payload = bytes((bits,)) + weight + optional(bits, [(2, time), (4, user), (8, index + height)])
    (sample,) = named("ble-weight-scale").decode(Frame(payload))
    other = opinion("weight_measurement", "WeightMeasurementCharacteristic", payload)
    agree(sample, {WEIGHT: other.weight, BODY_MASS_INDEX: other.bmi, HEIGHT: other.height})
    assert sample.slot == other.user_id
    assert (sample.device_time.local if sample.device_time else None) == other.timestamp


@given(
    bits=st.integers(0, 0x0FFF),
    time=TIME,
    user=USER,
    fat=st.integers(1, 500).map(lambda raw: raw.to_bytes(2, "little")),
    values=st.lists(st.integers(1, 1000).map(lambda raw: raw.to_bytes(2, "little")), min_size=9, max_size=9),
)
def test_body_composition(bits: int, time: bytes, user: bytes, fat: bytes, values: list[bytes]) -> None:
    fields = [(2, time), (4, user), *((1 << bit, value) for bit, value in enumerate(values, 3))]
    payload = bits.to_bytes(2, "little") + fat + optional(bits, fields)
    (sample,) = named("ble-body-composition").decode(Frame(payload))
    other = opinion("body_composition_measurement", "BodyCompositionMeasurementCharacteristic", payload)
    theirs = {
        BODY_FAT: other.body_fat_percentage,
        BASAL_METABOLISM: other.basal_metabolism,
        MUSCLE_PERCENT: other.muscle_percentage,
        MUSCLE_MASS: other.muscle_mass,
        FAT_FREE_MASS: other.fat_free_mass,
        SOFT_LEAN_MASS: other.soft_lean_mass,
        BODY_WATER_MASS: other.body_water_mass,
        BODY_IMPEDANCE: other.impedance,
        WEIGHT: other.weight,
        HEIGHT: other.height,
    }
    agree(sample, theirs)
    assert sample.slot == other.user_id
    assert (sample.device_time.local if sample.device_time else None) == other.timestamp


@given(bits=st.integers(0, 15), rate=st.integers(0, 255), energy=VALUE)
def test_heart_rate(bits: int, rate: int, energy: bytes) -> None:
    payload = bytes((bits, rate)) + (b"\x00" if bits & 1 else b"") + (energy if bits & 8 else b"")
    (sample,) = named("ble-heart-rate").decode(Frame(payload))
    other = opinion("heart_rate_measurement", "HeartRateMeasurementCharacteristic", payload)
    assert {o.kind.code: int(o.value) for o in sample.measured} == {
        HEART_RATE.code: other.heart_rate,
        **({"VG_ENERGY_EXPENDED": other.energy_expended} if other.energy_expended is not None else {}),
    }
    assert ("no_skin_contact" in sample.status) == (other.sensor_contact.name == "NOT_DETECTED")
