"""No frame, however broken, does more than decode or be refused; no filler becomes a value; no person leaks."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers import registry
from drivers.contract import Driver, Form
from gateway.core.errors import BadInput, DecodeError
from gateway.core.reading import Frame, Sample
from gateway.core.record import canonical
from gateway.core.sample_json import samples_json
from tests.drivers import vectors
from tests.drivers.vectors import Vector

DRIVERS = [driver for driver in registry.find().values() if vectors.load(driver.name)]
JSON_DRIVERS = [
    driver
    for driver in DRIVERS
    if driver.form is Form.TEXT and any(v.raises is None and v.frame.startswith("{") for v in vectors.load(driver.name))
]
each_driver = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
each_json_driver = pytest.mark.parametrize("driver", JSON_DRIVERS, ids=lambda driver: driver.name)
examples = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

MARKER = "Jane-Roe-19600101"
# What the hubs' own messages say of a person, and what another firmware might.
PERSON_FIELDS = (
    "citiz", "nameTH", "nameEN", "brith", "gender", "patient_id", "patientId", "patient", "name", "first_name",
    "last_name", "email", "phone", "dob", "Note", "note", "UserID", "userid", "user_id", "uid", "user_notes", "tags",
    "location", "Lat", "Lon", "IMSI", "imsi", "iccid", "ICCID", "short_code", "comment",
)  # fmt: skip
# The values that stand for "no reading" by kind, written down apart from the drivers' own table.
_OXIMETER = {0, 127, 255, 511, 2047, 65535}
_RATE = {0, 255, 511, 2047, 65535}
_PRESSURE = {0, 2047, 65535}
FILLERS: dict[str, set[Any]] = {
    "MDC_PULS_OXIM_SAT_O2": _OXIMETER,
    "MDC_PULS_RATE_NON_INV": _RATE,
    "MDC_PULS_OXIM_PULS_RATE": _RATE,
    "MDC_PRESS_BLD_NONINV_SYS": _PRESSURE,
    "MDC_PRESS_BLD_NONINV_DIA": _PRESSURE,
    "MDC_PRESS_BLD_NONINV_MEAN": _PRESSURE,
    "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD": {0, 2047, 65535},
    "MDC_MASS_BODY_ACTUAL": {0, Decimal("999.99")},
    "MDC_TEMP_BODY": {0, 2047, 65535, Decimal("999.99")},
}
# Units in which such a number is an ordinary value.
_FINE_UNITS = {"Pa", "g"}
ODD_LEAVES: list[Any] = [
    None, True, False, 0, -1, 1, 127, 255, 511, 2047, 65535, 10**30, -(10**30), 1.5, -0.0, 999.99, 1e-30,
    float("nan"), float("inf"), float("-inf"), "@1e999@", "@-1e999999@", "@1e-999999@", "", " ", "x", "NaN", "1e5",
    "128", "-1", "0", "72.00", "2024-06-15T08:30:00", "2024-06-15T08:30:00+25:00", "9999999999999999", "\x00", "\u2028",
    [], {}, [[]], {"value": 1}, {"value": None, "unit": None}, ["x"], 253402300800000, -62135596800001,
]  # fmt: skip


def attempt(driver: Driver, frame: Frame) -> tuple[Sample, ...] | None:
    """Decode, or be refused in one plain sentence; and what was decoded can be kept."""
    outcome = decoded_or_refused(driver, frame)
    if isinstance(outcome, DecodeError):
        assert str(outcome).endswith(".")
        assert "\n" not in str(outcome)
        return None
    canonical(samples_json(outcome))
    return outcome


def decoded_or_refused(driver: Driver, frame: Frame) -> tuple[Sample, ...] | DecodeError:
    try:
        return driver.decode(frame)
    except DecodeError as error:
        return error


def written(document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=False)
    for odd in ("1e999", "-1e999999", "1e-999999"):
        text = text.replace(f'"@{odd}@"', odd)
    return text.encode("utf-8", "surrogatepass")


def frame_like(vector: Vector, payload: bytes) -> Frame:
    return Frame(payload, vector.format, vector.topic)


def documents(driver: Driver) -> Iterator[tuple[Vector, Any]]:
    """The JSON messages that decode."""
    for vector in vectors.load(driver.name):
        if vector.raises is None and vector.frame.startswith(("{", "[")):
            yield vector, json.loads(vector.frame)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value below the top."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at one place."""
    copy = json.loads(json.dumps(document))
    at(copy, path[:-1])[path[-1]] = value
    return copy


@each_driver
def test_every_prefix_decodes_or_is_refused(driver: Driver) -> None:
    for vector in vectors.load(driver.name):
        whole = vector.as_frame(driver).payload
        for size in range(len(whole)):
            attempt(driver, frame_like(vector, whole[:size]))


@each_driver
@examples
@given(data=st.data())
def test_broken_bytes_decode_or_are_refused(driver: Driver, data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from(vectors.load(driver.name)))
    payload = bytearray(vector.as_frame(driver).payload)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload)))
        kind = data.draw(st.sampled_from(["flip", "cut", "insert", "drop"]))
        if kind == "insert" or not payload:
            payload[place:place] = data.draw(st.binary(min_size=1, max_size=6))
        elif kind == "flip":
            payload[place % len(payload)] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "cut":
            del payload[place:]
        else:
            del payload[place : place + 1]
    attempt(driver, frame_like(vector, bytes(payload)))


@each_driver
@examples
@given(payload=st.binary(max_size=64), number=st.integers(0, 10_000))
def test_foreign_bytes_decode_or_are_refused(driver: Driver, payload: bytes, number: int) -> None:
    table = vectors.load(driver.name)
    attempt(driver, frame_like(table[number % len(table)], payload))


@each_json_driver
@examples
@given(data=st.data())
def test_odd_values_anywhere_decode_or_are_refused(driver: Driver, data: st.DataObject) -> None:
    vector, document = data.draw(st.sampled_from(list(documents(driver))))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(document)) or [()]))
        if not path:
            break
        if data.draw(st.booleans()):
            document = changed(document, path, data.draw(st.sampled_from(ODD_LEAVES)))
        else:
            document = changed(document, path, None)
            del at(document, path[:-1])[path[-1]]
    attempt(driver, frame_like(vector, written(document)))


@each_json_driver
def test_each_field_may_be_anything(driver: Driver) -> None:
    for vector, document in documents(driver):
        for path in places(document):
            for odd in ODD_LEAVES:
                attempt(driver, frame_like(vector, written(changed(document, path, odd))))


@each_json_driver
def test_no_filler_becomes_a_value(driver: Driver) -> None:
    fillers = {filler for row in FILLERS.values() for filler in row}
    for vector, document in documents(driver):
        for path in places(document):
            if not isinstance(at(document, path), int | float | str):
                continue
            for filler in sorted(fillers):
                for spelled in (float(filler) if isinstance(filler, Decimal) else filler, f"{filler}"):
                    samples = attempt(driver, frame_like(vector, written(changed(document, path, spelled)))) or ()
                    check_no_filler(samples)


def check_no_filler(samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        for value in sample.measured:
            if value.unit not in _FINE_UNITS:
                assert value.value not in FILLERS.get(value.kind.code, set()), value.kind.code


@each_json_driver
def test_nothing_about_a_person_leaves_the_frame(driver: Driver) -> None:
    for vector, document in documents(driver):
        plain = driver.decode(vector.as_frame(driver))
        marked = driver.decode(frame_like(vector, written(with_person(document))))
        assert MARKER not in repr(marked)
        assert marked == plain, vector.id


def with_person(document: Any) -> Any:
    """The message with a person's particulars in every object, in place of any that stood there."""
    if isinstance(document, list):
        return [with_person(item) for item in document]
    if not isinstance(document, dict) or not document:
        return document
    kept = {key: with_person(value) for key, value in document.items() if key not in PERSON_FIELDS}
    return kept | {f: MARKER for f in PERSON_FIELDS if f != "location" or "location" in document}


@each_json_driver
def test_no_refusal_repeats_what_the_message_said(driver: Driver) -> None:
    for vector, document in documents(driver):
        for path in places(document):
            outcome = decoded_or_refused(driver, frame_like(vector, written(changed(document, path, MARKER))))
            assert not isinstance(outcome, DecodeError) or MARKER not in str(outcome)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("wisepill", f"AT=02,CN={MARKER},SN=77,T=150624083015,S=20,B=3800,PC=1,U={MARKER},M=1,CE=0"),
        ("withings", f"userid={MARKER}&appli=4&startdate=1532017199&enddate=1532017200"),
    ],
)
def test_nothing_about_a_person_leaves_a_text(name: str, payload: str) -> None:
    samples = registry.named(name).decode(Frame(payload.encode()))
    assert len(samples) == 1
    assert MARKER not in repr(samples)


def test_the_marker_would_be_found() -> None:
    stel = registry.named("stel")
    vector, document = next(documents(stel))
    samples = stel.decode(frame_like(vector, written(changed(document, ("device", "model"), MARKER))))
    assert MARKER in repr(samples)


def test_a_record_cannot_hold_a_fraction() -> None:
    with pytest.raises(BadInput):
        canonical({"samples": [1.5]})
