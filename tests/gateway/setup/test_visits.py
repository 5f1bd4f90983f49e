"""What a visit sees, keeps and refuses, question by question."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import BadInput
from gateway.core.reading import Capture
from gateway.setup import form
from tests.gateway.setup.desk import CUFF, MAC, Desk, desk_in

PATIENT = "pt-8842"
DEVICE = {"id": CUFF}
ANSWERS: dict[str, dict[str, Any]] = {
    "assignment": {},
    "training": dict.fromkeys(("operation", "technique", "schedule", "troubleshooting", "emergency"), True),
    "demonstration": {"measured": True, "understood": True},
    "consent": {"form": "written", "at": "2026-11-20", "reference": "c-1"},
    "order": {"reference": "o-1", "at": "2026-11-18", "parameters": ["blood_pressure"]},
    "service": {},
    "trainer": {"reference": "t-1", "credentials": "RN"},
    "acknowledgement": {"by": "patient"},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as made:
        yield made


def begun(desk: Desk, patient: str = PATIENT, **device: Any) -> str:
    told = desk.ask({"do": "setup.begin", "patient": patient, "answers": DEVICE | device})
    visit: str = told["visit"]
    return visit


def answered(desk: Desk, visit: str, step: str, **answers: Any) -> dict[str, Any]:
    given = ANSWERS[step] | answers
    return desk.ask({"do": "setup.answer", "visit": visit, "step": step, "answers": given})


def shown(desk: Desk, visit: str) -> dict[str, Any]:
    return desk.ask({"do": "setup.show", "visit": visit})


def refused(desk: Desk, **question: Any) -> str:
    with pytest.raises(BadInput) as caught:
        desk.ask(question)
    return str(caught.value)


def through(desk: Desk, visit: str) -> None:
    for step in ANSWERS:
        answered(desk, visit, step)


def test_what_is_missing_shrinks_to_nothing(desk: Desk) -> None:
    visit = begun(desk)
    assert shown(desk, visit)["missing"] == [step.name for step in form.STEPS[1:]]
    desk.measure()
    through(desk, visit)
    assert shown(desk, visit)["missing"] == ["test_reading"]
    assert "not complete: test_reading; A reading came that its own clock" in refused(
        desk, do="setup.finish", visit=visit
    )
    desk.measure()
    assert "waits for the backend" in shown(desk, visit)["why"]
    desk.upload()
    assert shown(desk, visit)["missing"] == []
    record = desk.ask({"do": "setup.finish", "visit": visit})["record"]
    assert record["regulatory"]["status"] == "unknown"
    assert "not under way" in refused(desk, do="setup.show", visit=visit)
    assert "not under way" in refused(desk, do="setup.finish", visit=visit)


def test_only_a_fit_reading_is_the_test_reading(desk: Desk) -> None:
    desk.measure()
    visit = begun(desk)
    desk.measure()  # before the assignment: nobody's
    assert "own clock places before" in shown(desk, visit)["why"]
    through(desk, visit)
    desk.measure(path=Capture.SYNTHETIC)
    assert "not captured by the device itself" in shown(desk, visit)["why"]
    desk.measure(late_s=86_400)
    assert "measured before the visit began" in shown(desk, visit)["why"]
    desk.measure(mac=MAC[:-1] + "2")
    desk.upload()
    assert shown(desk, visit)["missing"] == ["test_reading"]
    tested = desk.measure()
    desk.upload()
    assert shown(desk, visit)["receipt"]["record_id"] == tested["record_id"]


def test_a_reading_the_backend_refuses_is_no_test_reading(desk: Desk) -> None:
    desk.measure()
    visit = begun(desk)
    through(desk, visit)
    desk.upload()
    desk.measure()
    desk.upload(refused=True)
    told = shown(desk, visit)
    assert (told["receipt"], "refused the test reading" in told["why"]) == (None, True)
    second = desk.measure()
    desk.upload()
    assert shown(desk, visit)["receipt"]["record_id"] == second["record_id"]


def test_where_the_backend_is_away_the_uploader_says_why(desk: Desk) -> None:
    desk.measure()
    visit = begun(desk)
    through(desk, visit)
    desk.measure()
    desk.link.is_up, desk.link.why = False, "The backend does not answer."
    assert shown(desk, visit)["why"].endswith("The backend does not answer.")


def test_a_slot_given_wrong_is_corrected_by_new_records(desk: Desk) -> None:
    desk.measure()
    visit = begun(desk)
    answered(desk, visit, "assignment", slot=1)
    assert answered(desk, visit, "assignment", slot=1)["answers"]["assignment"] == {"slot": 1}
    answered(desk, visit, "assignment", slot=2)
    said = [(each["action"], each["slot"]) for each in desk.ledger("assignment")]
    assert said == [("assign", 1), ("unassign", 1), ("assign", 2)]
    assert [span.slot for span in desk.registry.devices_of(PATIENT) if span.to_ms is None] == [2]


def test_an_answer_given_twice_is_kept_once_and_a_correction_beside_it(desk: Desk) -> None:
    desk.measure()
    visit = begun(desk)
    for credentials in ("RN", "RN", "LPN"):
        answered(desk, visit, "trainer", credentials=credentials)
    kept = [each["answers"]["credentials"] for each in desk.ledger("setup") if each.get("step") == "trainer"]
    assert kept == ["RN", "LPN"]
    desk.restart()
    assert shown(desk, visit)["answers"]["trainer"]["credentials"] == "LPN"


def test_a_device_registered_with_a_document_keeps_it(desk: Desk) -> None:
    desk.measure()
    first = begun(desk, status="device_201h", clearance="K141160", source="510(k) K141160")
    answered(desk, first, "assignment")
    desk.ask({"do": "setup.abandon", "visit": first, "why": "wrong patient"})
    second = begun(desk)
    assert shown(desk, second)["regulatory"]["clearance"] == "K141160"
    answered(desk, second, "assignment")
    assert len(desk.ledger("device")) == 1


def test_a_device_of_another_patient_is_refused_at_its_assignment(desk: Desk) -> None:
    desk.measure()
    first = begun(desk, patient="pt-1")
    answered(desk, first, "assignment")
    desk.ask({"do": "setup.abandon", "visit": first, "why": "moved"})
    second = begun(desk)
    with pytest.raises(BadInput, match="another patient's"):
        answered(desk, second, "assignment")
    assert answered(desk, second, "assignment", slot=2)["answers"]["assignment"] == {"slot": 2}


def test_a_visit_that_stays_open_is_a_rehearsal_until_it_ends(desk: Desk) -> None:
    desk.measure()
    visit = begun(desk)
    through(desk, visit)
    desk.clock.jump(3 * 86_400)
    assert desk.measure()["context"] == "setup_demo"
    desk.ask({"do": "setup.abandon", "visit": visit, "why": "gave up"})
    assert desk.measure()["context"] == "normal"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"do": "setup.begin", "patient": "Ann Example", "answers": DEVICE}, "opaque reference"),
        ({"do": "setup.begin", "patient": PATIENT, "answers": {"id": "cuff"}}, "device.id must be"),
        ({"do": "setup.begin", "patient": PATIENT, "answers": {}}, "device.id is missing"),
        ({"do": "setup.begin", "patient": PATIENT}, "Answers are an object"),
        ({"do": "setup.show", "visit": "none"}, "not under way"),
        ({"do": "setup.abandon", "visit": None, "why": "x"}, "not under way"),
        ({"do": "setup.record", "patient": PATIENT}, "No visit of this patient"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(desk: Desk, question: dict[str, Any], said: str) -> None:
    assert said in refused(desk, **question)


@pytest.mark.parametrize("step", ["device", "pairing", "test_reading", "tea", None])
def test_what_the_hub_sees_for_itself_cannot_be_typed_in(desk: Desk, step: str | None) -> None:
    desk.measure()
    visit = begun(desk)
    assert "no such step" in refused(desk, do="setup.answer", visit=visit, step=step, answers={})


def test_a_reason_is_plain_text(desk: Desk) -> None:
    visit = begun(desk)
    assert "printable" in refused(desk, do="setup.abandon", visit=visit, why="\x1b[2J")
    assert "for what reason" in refused(desk, do="setup.abandon", visit=visit, why="")
