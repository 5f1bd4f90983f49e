"""A live reading's verdict: who, which program, and whether its date counts."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from config.rules import profiles, rules_in_force
from gateway.core.observation import STEP_COUNT, STEPS, WEIGHT, Absent, Measured, Unit, Why
from gateway.core.reading import Capture, Context, DeviceIdentity, Metric, Sample, SampleKind, Signal
from gateway.core.rules import Program
from gateway.core.time import Placed, Quality
from gateway.qualification import qualifier
from gateway.registry import Registry
from tests.gateway.test_registry import CLEARED, CUFF, DAY, NOW, Desk, act

RTM = "us-medicare-2026-rtm-respiratory"
SAMPLE = Sample(observations=(Measured(WEIGHT, Decimal("70.5"), Unit("kg")),), slot=None)
PLACED = Placed(NOW + DAY, "device", Quality.SYNCED)


@pytest.fixture
def desk() -> Desk:
    """A cleared cuff that P wears, P enrolled in RPM."""
    made = Desk()
    made.keep("device", made.registry.register(act(), DeviceIdentity(id=CUFF), CLEARED))
    made.assign("P")
    made.enrol()
    return made


def verdict(registry: Registry, **changes: Any) -> dict[str, Any]:
    """The fields of a record for a sample, with something about it changed."""
    given: dict[str, Any] = {"sample": SAMPLE, "capture": Capture.DEVICE, "device": CUFF, "placed": PLACED,
                             "received_ms": NOW + DAY, "site": "home",
                             "hub_zone": "America/New_York"} | changes  # fmt: skip
    qualify = qualifier(registry, profiles(), rules_in_force(), given["hub_zone"])
    return qualify(*[given[key] for key in ("sample", "capture", "device", "placed", "received_ms", "site")])


def test_a_good_reading_makes_its_day(desk: Desk) -> None:
    assert verdict(desk.registry) == {
        "patient": "P",
        "slot": None,
        "program": "RPM",
        "context": "normal",
        "automatic": True,
        "qualifies": {"day": True, "reason": None, "rules": "us-medicare-2026"},
    }


def test_a_device_nobody_registered_is_kept_and_does_not_count() -> None:
    made = verdict(Registry())
    assert (made["patient"], made["automatic"]) == (None, True)
    assert made["qualifies"] == {"day": False, "reason": "Q03 unknown device", "rules": "us-medicare-2026"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sample": replace(SAMPLE, kind=SampleKind.STATUS)}, "Q02 no physiologic value"),
        ({"capture": Capture.MANUAL_PATIENT}, "Q01 not automatic"),
        ({"sample": replace(SAMPLE, metric=Metric.TECHNICAL)}, "Q02 no physiologic value"),
        ({"sample": replace(SAMPLE, observations=())}, "Q02 no physiologic value"),
        ({"placed": Placed(None, "none", Quality.UNTRUSTED)}, "Q09 time untrusted"),
        ({"placed": Placed(NOW + DAY, "device", Quality.ESTIMATED)}, "Q09 time untrusted"),
        ({"received_ms": NOW + DAY - 300_001}, "Q10 in the future"),
        ({"placed": Placed(NOW - 1, "device", Quality.SYNCED)}, "Q03 not assigned at that time"),
        ({"sample": replace(SAMPLE, context=Context.TEST)}, "Q07 test/setup"),
        ({"sample": replace(SAMPLE, context=Context.CONTROL)}, "Q07 test/setup"),
        ({"site": "clinic"}, "Q08 not remote"),
        ({"sample": replace(SAMPLE, quality=Signal.CAUTION)}, "Q11 quality caution"),
        ({"sample": Sample(observations=(Absent(WEIGHT, Why.NOT_AVAILABLE),))}, "Q11 quality invalid"),
    ],
    ids=str,
)
def test_what_keeps_a_live_reading_from_counting(desk: Desk, changes: dict[str, Any], reason: str) -> None:
    assert verdict(desk.registry, **changes)["qualifies"] == {
        "day": False,
        "reason": reason,
        "rules": "us-medicare-2026",
    }


def test_a_cloud_hub_serves_devices_in_homes(desk: Desk) -> None:
    assert verdict(desk.registry, site="cloud")["qualifies"]["day"] is True


def test_a_person_who_cannot_be_told_is_not_guessed(desk: Desk) -> None:
    desk.assign("Q", 2)
    made = verdict(desk.registry)
    assert (made["patient"], made["qualifies"]["reason"]) == (None, "Q05 person ambiguous")
    named = verdict(desk.registry, sample=replace(SAMPLE, slot=2))
    assert (named["patient"], named["slot"], named["qualifies"]["reason"]) == ("Q", 2, "Q06 outside enrolment")


def test_a_device_without_evidence_does_not_count(desk: Desk) -> None:
    desk.keep("device", desk.registry.register(act(), DeviceIdentity(id=CUFF), replace(CLEARED, status="unknown")))
    assert verdict(desk.registry)["qualifies"]["reason"] == "Q04 not a 201(h) device"


def test_a_device_with_a_code_of_its_own_does_not_count(desk: Desk) -> None:
    evidence = replace(CLEARED, specific_code="95249-95251")
    desk.keep("device", desk.registry.register(act(), DeviceIdentity(id=CUFF), evidence))
    assert verdict(desk.registry)["qualifies"]["reason"] == "Q13 specific code 95249-95251"


@pytest.mark.parametrize(("context", "kept"), [(Context.NORMAL, "setup_demo"), (Context.TEST, "test")])
def test_what_is_measured_during_setup_is_a_rehearsal(desk: Desk, context: Context, kept: str) -> None:
    desk.keep("setup", desk.registry.visit(act(NOW), CUFF, "P", "begun"))
    made = verdict(desk.registry, sample=replace(SAMPLE, context=context))
    assert (made["context"], made["qualifies"]["reason"]) == (kept, "Q07 test/setup")


def test_a_clock_that_is_off_carries_no_demonstration_out_of_its_visit(desk: Desk) -> None:
    begun, done = NOW + DAY, NOW + DAY + 600_000
    desk.keep("setup", desk.registry.visit(act(begun), CUFF, "P", "begun"))
    desk.keep("setup", desk.registry.visit(act(done), CUFF, "P", "done"))
    contexts = {
        measured_ms: verdict(
            desk.registry, placed=Placed(measured_ms, "device", Quality.SYNCED), received_ms=begun + 1000
        )["context"]
        for measured_ms in (begun - 300_000, begun - 299_999, done - 1, done + 200_000)
    }
    # what was stored before the visit is the patient's own
    assert list(contexts.values()) == ["normal", "setup_demo", "setup_demo", "setup_demo"]
    late = verdict(desk.registry, placed=Placed(done - 1, "device", Quality.SYNCED), received_ms=done + DAY)
    assert late["context"] == "setup_demo"
    after = verdict(desk.registry, placed=Placed(done, "device", Quality.SYNCED), received_ms=done)
    assert after["context"] == "normal"


def test_the_date_is_that_of_where_the_patient_lives(desk: Desk) -> None:
    placed = Placed(NOW + DAY, "device", Quality.SYNCED)  # 15:06 UTC
    assert "local_date" not in verdict(desk.registry, placed=placed)
    made = verdict(desk.registry, placed=placed, hub_zone="Pacific/Auckland")
    assert (made["measured_at"], made["local_date"]) == ("2026-03-03T10:06:40-05:00", "2026-03-03")


def test_therapeutic_data_counts_by_the_profile_of_its_own_program(desk: Desk) -> None:
    steps = Sample(observations=(Measured(STEP_COUNT, Decimal(900), STEPS),), metric=Metric.THERAPEUTIC)
    alone = verdict(desk.registry, sample=steps)
    assert (alone["program"], alone["qualifies"]["reason"]) == ("RTM", "Q02 no physiologic value")
    desk.enrol(rules=(RTM, Program.RTM))
    for capture in (Capture.DEVICE, Capture.MANUAL_PATIENT):
        made = verdict(desk.registry, sample=steps, capture=capture)
        assert made["qualifies"] == {"day": True, "reason": None, "rules": RTM}
        assert made["automatic"] is (capture is Capture.DEVICE)


def test_an_enrolment_under_a_profile_that_is_gone_is_judged_by_the_one_in_force() -> None:
    made = Desk()
    made.keep("device", made.registry.register(act(), DeviceIdentity(id=CUFF), CLEARED))
    made.assign("P")
    made.enrol(rules=("us-medicare-1999", Program.RPM))
    assert verdict(made.registry)["qualifies"]["rules"] == "us-medicare-2026"


@pytest.mark.parametrize("capture", [each for each in Capture if each is not Capture.DEVICE])
def test_nothing_a_person_typed_ever_makes_a_physiologic_day(desk: Desk, capture: Capture) -> None:
    for name in profiles():
        desk.registry.apply({**desk.records[2], "rules": name})
        made = verdict(desk.registry, capture=capture)
        assert (made["automatic"], made["qualifies"]["day"]) == (False, False)
