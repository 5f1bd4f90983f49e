"""What people and programs get wrong in a bundle: one plain sentence each, with the path, all at once."""

import copy
import json
from typing import Any

import pytest

from config.rules import profiles
from gateway.core.bundle import read_bundle
from gateway.core.errors import BadInput
from tests.core.bundles import Json, assessed, at, bundle, daily, device, reading, readings, span

GOOD = bundle(readings(daily("2026-03-03", 3)))


def mistakes(content: bytes) -> list[str]:
    """The sentences a bundle is refused with."""
    with pytest.raises(BadInput) as caught:
        read_bundle(content, profiles())
    return str(caught.value).split("\n")


def changed(path: list[Any], value: Any) -> bytes:
    """The good bundle with one thing put in another's place."""
    document: Any = copy.deepcopy(GOOD)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document).encode()


def without(path: list[Any]) -> bytes:
    """The good bundle with one key less."""
    document: Any = copy.deepcopy(GOOD)
    place = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return json.dumps(document).encode()


def _paths() -> list[list[Any]]:
    paths: list[list[Any]] = [[key] for key in GOOD]
    paths += [["enrolment", key] for key in GOOD["enrolment"]]
    paths += [["devices", 0, key] for key in GOOD["devices"][0]]
    paths += [["devices", 0, "assigned", 0, key] for key in GOOD["devices"][0]["assigned"][0]]
    return [*paths, *(["readings", 2, key] for key in GOOD["readings"][2])]


def _written(path: list[Any]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


@pytest.mark.parametrize("path", _paths(), ids=_written)
def test_a_missing_key_is_named_by_its_path(path: list[Any]) -> None:
    (sentence,) = mistakes(without(path))
    assert sentence.startswith(f"{_written(path)} ")


@pytest.mark.parametrize("path", _paths(), ids=_written)
@pytest.mark.parametrize("value", [4.5, "secret-value", {"a": 1}, "", "\ud800", "x" * 1001], ids=lambda v: repr(v)[:14])
def test_a_wrong_value_is_named_by_its_path_and_never_repeated(path: list[Any], value: Any) -> None:
    free = {"patient", "id", "device", "key", "specific_code"}
    if value == "secret-value" and path[-1] in free:
        assert read_bundle(changed(path, value), profiles()).period.number == 1
        return
    said = mistakes(changed(path, value))
    assert all(
        sentence.startswith(_written(path)) or sentence == f"{_written(path)} must be an object." for sentence in said
    )
    assert "secret-value" not in "".join(said)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["period"], 0, "period must be a whole number from 1 to 10000."),
        (["period"], True, "period must be a whole number from 1 to 10000."),
        (["period"], 3, "period begins after now; assess it once it has begun."),
        (["period"], 10_000, "period begins after now; assess it once it has begun."),
        (["now"], "2026-03-01T00:00:00Z", "period begins after now; assess it once it has begun."),
        (["now"], "9999-12-31T23:00:00-05:00", "now lies outside the calendar."),
        (["timezone"], "Mars/Olympus", 'timezone names no time zone that exists; write it as "America/New_York".'),
        (["timezone"], "../etc/passwd", 'timezone names no time zone that exists; write it as "America/New_York".'),
        (["timezone"], "America", 'timezone names no time zone that exists; write it as "America/New_York".'),
        (["bundle"], "vitals-evidence/2", 'bundle must be "vitals-evidence/1".'),
        (["enrolment"], None, "enrolment must be an object."),
        (["enrolment", "end"], "2026-03-01T00:00:00Z", "enrolment.end lies before enrolment.start."),
        (["enrolment", "practitioners"], -1, "enrolment.practitioners must be a whole number from 0 to 1000."),
        (
            ["devices", 0, "assigned", 0, "to"],
            "2026-03-01T00:00:00Z",
            "devices[0].assigned[0].to lies before the assignment's from.",
        ),
        (["readings", 1], [], "readings[1] must be an object."),
        (["readings"], {}, "readings must be a list."),
        (["readings", 1, "edited"], 1, "readings[1].edited must be true or false."),
        (["readings", 1, "site"], "moon", 'readings[1].site must be "home" or "clinic" or "cloud".'),
    ],
    ids=str,
)
def test_a_mistake_has_its_sentence(path: list[Any], value: Any, sentence: str) -> None:
    assert mistakes(changed(path, value)) == [sentence]


@pytest.mark.parametrize("time", ["2026-03-03", "2026-03-03T08:00:00", "yesterday", "2026-02-30T08:00:00Z", 5, ""])
def test_a_time_needs_a_date_a_time_and_an_offset(time: Any) -> None:
    (sentence,) = mistakes(changed(["readings", 0, "measured_at"], time))
    assert sentence.startswith("readings[0].measured_at must be a date and time with its offset")


def test_unknown_rules_are_answered_with_those_known() -> None:
    (sentence,) = mistakes(changed(["rules"], "us-medicaid"))
    assert "us-medicare-2025, us-medicare-2026" in sentence


def test_every_mistake_is_told_at_once() -> None:
    document = copy.deepcopy(GOOD)
    document["timezone"] = "Mars/Olympus"
    document["period"] = 0
    document["enrolment"]["setup_billed"] = None
    document["devices"] = [device(), device(), 5]
    for item in document["readings"]:
        item["quality"] = "fine"
    assert len(mistakes(json.dumps(document).encode())) == 8


def test_a_flood_of_mistakes_is_cut_short_and_says_so() -> None:
    document = bundle([{} for _ in range(50)])
    said = mistakes(json.dumps(document).encode())
    assert len(said) == 101
    assert said[-1] == f"And {50 * 16 - 100} more of the kind."


def test_a_period_beyond_the_calendar_begins_after_now() -> None:
    document = bundle([], enrolment={"start": "9990-01-01T00:00:00Z"}, now="9998-01-01T00:00:00Z", period=10_000)
    assert mistakes(json.dumps(document).encode()) == ["period begins after now; assess it once it has begun."]


def test_one_device_is_listed_once() -> None:
    (sentence,) = mistakes(json.dumps(bundle([], devices=[device(), device()])).encode())
    assert sentence.startswith("devices[1].id stands twice")


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (span(), span(), True),
        (span(to="2026-03-12T00:00:00Z"), span(from_="2026-03-11T00:00:00Z"), True),
        (span(to="2026-03-12T00:00:00Z"), span(from_="2026-03-12T00:00:00Z"), False),
        (span(from_="2026-03-12T00:00:00Z"), span(to="2026-03-12T00:00:00Z"), False),
        (span(), span("Q"), False),
    ],
    ids=["twice", "a day", "handover", "listed backwards", "two patients"],
)
def test_assignments_of_one_patient_do_not_overlap(first: Json, second: Json, overlap: bool) -> None:
    document = bundle([], devices=[device(assigned=[first, second])])
    if overlap:
        (sentence,) = mistakes(json.dumps(document).encode())
        assert sentence.startswith("devices[0].assigned[1].from overlaps another assignment")
    else:
        assert assessed(document).status == "CLEAN"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON (line 1, column 1)"),
        (b'{"a": 1,}', "is not JSON"),
        (b"[]", "not an evidence bundle"),
        (b"5", "not an evidence bundle"),
        (b'{"a": NaN}', "NaN or Infinity"),
        (b'{"a": -Infinity}', "NaN or Infinity"),
        (b'{"a": 1, "a": 2}', "stands twice in one object"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"[" * 100_000, "beyond reason"),
        (b'{"a": ' + b"9" * 5000 + b"}", "beyond reason"),
    ],
    ids=["empty", "comma", "list", "number", "nan", "infinity", "twice", "utf-16", "deep", "long"],
)
def test_what_is_no_bundle_is_refused_with_a_sentence(content: bytes, words: str) -> None:
    (sentence,) = mistakes(content)
    assert words in sentence


def test_a_byte_order_mark_does_no_harm() -> None:
    content = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    assert len(read_bundle(content, profiles()).readings) == 3


def test_keys_beyond_the_format_are_left_alone() -> None:
    assert assessed(bundle([reading(at("2026-03-03 08:00"), observations=[])], hub="hub-7")).counts.measured == 1


def test_a_reading_without_time_patient_device_or_receipt_is_no_mistake() -> None:
    bare = reading(None, device=None, patient=None, time_trusted=False, key="bare")
    future = reading(at("2026-03-20 08:00"), received_at=None, key="no receipt")
    ahead = reading(at("2026-05-01 08:00"), received_at=None, key="after now")
    assert assessed(bundle([bare, future, ahead])).rejected == ("Q03 unknown device", "Q10 in the future")


def test_another_patients_reading_never_counts() -> None:
    document = bundle([reading(at("2026-03-03 08:00"), patient="Q")], devices=[device(assigned=[span(), span("Q")])])
    assert assessed(document).rejected == ("Q03 not assigned at that time",)


@pytest.mark.parametrize("order", [1, -1])
def test_of_equal_keys_the_first_received_is_the_event(order: int) -> None:
    first = reading(at("2026-03-03 08:00"), key="k", quality="invalid")
    second = {**first, "quality": "ok", "received_at": "2026-03-04T00:00:00Z"}
    assert assessed(bundle([first, second][::order])).rejected == ("Q11 quality invalid", "Q12 duplicate")


@pytest.mark.parametrize("order", [1, -1])
def test_of_equal_keys_received_at_once_the_unedited_is_the_event(order: int) -> None:
    first = reading(at("2026-03-03 08:00"), key="k")
    assert assessed(bundle([first, {**first, "edited": True}][::order])).rejected == ("Q12 duplicate",)


@pytest.mark.parametrize("order", [1, -1])
def test_of_equal_keys_the_acknowledged_is_the_event(order: int) -> None:
    first = reading(at("2026-03-03 08:00"), key="k")
    never = {**first, "acked_at": None}
    assert assessed(bundle([first, never][::order])).counts.claimable == 1
