"""Every gate alone, and their order: a gate removed, or moved, fails here."""

from typing import Any

import pytest

from config.rules import profiles
from gateway.core.gates import Facts, qualify
from gateway.core.reading import Capture, Metric, SampleKind, Signal

RULES = profiles()["us-medicare-2026"]
NOON = 1_772_542_800_000
GOOD = Facts(
    duplicate=False,
    kind=SampleKind.READING,
    capture=Capture.DEVICE,
    edited=False,
    metric=Metric.PHYSIOLOGIC,
    device_known=True,
    person_known=True,
    time_trusted=True,
    measured_ms=NOON,
    received_ms=NOON,
    assigned=True,
    device_status="device_201h",
    enrolled=True,
    context="normal",
    site="home",
    in_person_download=False,
    quality=Signal.OK,
    specific_code=None,
)
# In the order in which they are tested.
GATES: list[tuple[dict[str, Any], str]] = [
    ({"duplicate": True}, "Q12 duplicate"),
    ({"kind": SampleKind.STATUS}, "Q02 no physiologic value"),
    ({"capture": Capture.MANUAL_PATIENT}, "Q01 not automatic"),
    ({"metric": Metric.THERAPEUTIC}, "Q02 no physiologic value"),
    ({"device_known": False}, "Q03 unknown device"),
    ({"person_known": False}, "Q05 person ambiguous"),
    ({"time_trusted": False}, "Q09 time untrusted"),
    ({"received_ms": NOON - 300_001}, "Q10 in the future"),
    ({"assigned": False}, "Q03 not assigned at that time"),
    ({"device_status": "unknown"}, "Q04 not a 201(h) device"),
    ({"enrolled": False}, "Q06 outside enrolment"),
    ({"context": "test"}, "Q07 test/setup"),
    ({"site": "clinic"}, "Q08 not remote"),
    ({"quality": Signal.CAUTION}, "Q11 quality caution"),
    ({"specific_code": "95249-95251"}, "Q13 specific code 95249-95251"),
]


def test_a_good_reading_passes_every_gate() -> None:
    assert qualify(GOOD, RULES) == (True, None)


@pytest.mark.parametrize(("fault", "reason"), GATES, ids=[reason for _, reason in GATES])
def test_a_gate_alone(fault: dict[str, Any], reason: str) -> None:
    assert qualify(GOOD._replace(**fault), RULES) == (False, reason)


@pytest.mark.parametrize("first", range(len(GATES)))
def test_of_several_faults_the_first_gate_gives_the_reason(first: int) -> None:
    faults: dict[str, Any] = {}
    for fault, _ in GATES[first:]:
        faults |= fault
    assert qualify(GOOD._replace(**faults), RULES) == (False, GATES[first][1])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": SampleKind.ALERT_TECHNICAL}, "Q02 no physiologic value"),
        ({"capture": Capture.MANUAL_STAFF}, "Q01 not automatic"),
        ({"capture": Capture.PHOTO_OCR}, "Q01 not automatic"),
        ({"capture": Capture.SYNTHETIC}, "Q01 not automatic"),
        ({"capture": Capture.UNKNOWN}, "Q01 not automatic"),
        ({"edited": True}, "Q01 not automatic"),
        ({"metric": Metric.TECHNICAL}, "Q02 no physiologic value"),
        ({"measured_ms": None}, "Q09 time untrusted"),
        ({"device_status": "wellness"}, "Q04 not a 201(h) device"),
        ({"context": "setup_demo"}, "Q07 test/setup"),
        ({"context": "control"}, "Q07 test/setup"),
        ({"context": "inpatient"}, "Q08 not remote"),
        ({"in_person_download": True}, "Q08 not remote"),
        ({"site": "somewhere else"}, "Q08 not remote"),
        ({"quality": Signal.INVALID}, "Q11 quality invalid"),
    ],
    ids=str,
)
def test_every_way_a_gate_fails(fault: dict[str, Any], reason: str) -> None:
    assert qualify(GOOD._replace(**fault), RULES) == (False, reason)


@pytest.mark.parametrize(
    "fact",
    [
        {"kind": SampleKind.ALERT_WITH_VALUE},
        {"received_ms": NOON - 300_000},
        {"site": "cloud"},
        {"received_ms": NOON + 10**10},
    ],
    ids=str,
)
def test_what_does_not_fail_a_gate(fact: dict[str, Any]) -> None:
    assert qualify(GOOD._replace(**fact), RULES) == (True, None)


@pytest.mark.parametrize("capture", Capture)
@pytest.mark.parametrize("kind", SampleKind)
@pytest.mark.parametrize("edited", [False, True])
def test_automatic_is_capture_kind_and_nothing_else(capture: Capture, kind: SampleKind, edited: bool) -> None:
    facts = GOOD._replace(
        capture=capture, kind=kind, edited=edited, device_known=False, enrolled=False, measured_ms=None
    )
    values = (SampleKind.READING, SampleKind.ALERT_WITH_VALUE)
    assert facts.automatic is (capture is Capture.DEVICE and kind in values and not edited)
