"""A whole visit from a file, with real processes all around it."""

import subprocess
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from gateway.core.record import verify
from tests.gateway.setup.clinic import Clinic, Visitor

SCHEMA: Any = schemathesis.openapi.from_path(str(files("uploader.receiver").joinpath("openapi.yaml")))
DOCUMENT: dict[str, Any] = SCHEMA.raw_schema


def test_a_visit_ends_with_a_record_the_backend_holds(visitor: Visitor) -> None:
    visitor.heard()
    record = visitor.finished()
    assert (record["type"], record["state"]) == ("setup", "done")
    assert (record["patient"], record["device"]) == (visitor.patient, visitor.device)
    trained = ("operation", "technique", "schedule", "troubleshooting", "emergency")
    assert record["training"] == dict.fromkeys(trained, True)
    assert record["demonstration"] == {"measured": True, "understood": True, "transmitted": True}
    assert record["consent"] == {"form": "verbal", "at": "2026-11-20", "reference": "cons-2231"}
    assert record["order"] == {"reference": "ord-55", "at": "2026-11-18T10:00:00-05:00"}
    assert record["trainer"] == {"reference": "staff-17", "credentials": "RN"}
    assert record["acknowledgement"]["by"] == "caregiver"
    assert record["identity"]["model"] == "BP Cuff"
    assert (record["identity"]["udi_di"], record["identity"]["udi_from"]) == ("(01)00093764603044", "label")
    assert (record["regulatory"]["status"], record["regulatory"]["clearance"]) == ("device_201h", "K141160")
    assert record["pairing"]["driver"] == "stel"
    assert record["started_at"] < record["assignment"]["at"] < record["ended_at"] == record["at"]
    assert verify(record)
    every = visitor.held(record)
    assert every[record["record_id"]] == record
    tested = every[record["test_reading"]["record_id"]]
    assert (tested["context"], tested["hash"]) == ("setup_demo", record["test_reading"]["hash"])
    assert tested["qualifies"]["day"] is False


def test_the_service_begins_as_the_visit_ends_and_only_then_readings_count(visitor: Visitor) -> None:
    visitor.heard()
    record = visitor.finished(script=visitor.script + '[service]\ntimezone = "Pacific/Auckland"\npractitioners = 2\n')
    assert record["service"] == {
        "rules": "us-medicare-2026", "program": "RPM", "timezone": "Pacific/Auckland", "practitioners": 2,
        "start": record["ended_at"], "begun": True,
    }  # fmt: skip
    visitor.measure()
    readings = visitor.readings(3)
    assert [each["qualifies"]["day"] for each in readings] == [False, False, True]
    assert [each["context"] for each in readings] == ["normal", "setup_demo", "normal"]
    assert readings[-1]["measured_at"].endswith("+13:00")
    (enrolment,) = [
        each for each in visitor.clinic.records() if each["type"] == "enrolment" and each["patient"] == visitor.patient
    ]
    assert (enrolment["start"], enrolment["setup_at"]) == (record["ended_at"],) * 2
    assert enrolment["order_at"] == "2026-11-18T15:00:00.000Z"
    assert enrolment["consent_at"] == "2026-11-19T11:00:00.000Z"  # the date's first instant in Auckland


def test_every_record_of_a_visit_is_as_the_backend_describes_it(visitor: Visitor) -> None:
    visitor.heard()
    record = visitor.finished()
    schema = {"$ref": "#/components/schemas/Record", "components": DOCUMENT["components"]}
    check = jsonschema_rs.Draft202012Validator(schema)
    states = []
    for each in visitor.held(record).values():
        check.validate(each)
        states += [each["state"]] if each["type"] == "setup" and each["patient"] == visitor.patient else []
    assert states == ["begun", *["answered"] * 8, "done"]
    for key in ("training", "consent", "test_reading", "software"):
        assert not check.is_valid({name: value for name, value in record.items() if name != key})


def test_a_second_device_joins_the_service_that_runs(visitor: Visitor, standing: Clinic) -> None:
    visitor.heard()
    first = visitor.finished()
    standing.visitors += 1
    other = Visitor(standing, standing.visitors)
    other.heard()
    script = other.script.replace(other.patient, visitor.patient)
    with other.begin(script=script) as running:
        while visitor.missing != ["test_reading"]:
            assert running.poll() is None, running.communicate()
        other.measure()
        assert running.wait(60) == 0
    said = standing.ask(do="setup.record", patient=visitor.patient)["record"]
    assert said["device"] == other.device
    assert said["service"] == first["service"] | {"begun": False}


def test_a_visit_is_printed_again_from_its_record(visitor: Visitor) -> None:
    visitor.heard()
    record = visitor.finished()
    page = visitor.clinic.folder / "page.pdf"
    assert visitor.setup("--resume", "--pdf", str(page))[:2] == (0, record)
    assert page.read_bytes().startswith(b"%PDF")
    assert page.stat().st_mode & 0o777 == 0o600
    said = visitor.clinic.run("setup", visitor.patient, "--resume")
    assert "is set up with" in said.stdout


def refusal(visitor: Visitor, *words: str, script: str | None = None) -> str:
    """The sentences a visit is refused with."""
    code, record, err = visitor.setup(*words, script=script)
    assert (code, record) == (65, {})
    assert "Traceback" not in err
    return err


def test_every_mistake_in_a_file_is_told_at_once_with_its_place(visitor: Visitor) -> None:
    script = visitor.script.replace("technique = true", "technique = false").replace("[consent]", "[consent]\nwho = 1")
    script = script.replace('form = "verbal"', 'form = "nodded"').replace("at = 2026-11-20", "at = 2926-11-20")
    script = script.replace('by = "caregiver"', "").replace('source = "510(k) K141160"', "") + "[colour]\n"
    err = refusal(visitor, script=script)
    for mistake in (
        "line 11: training.technique must be true",
        "consent.form must be",
        "consent.at has not come yet",
        "consent.who is not asked for",
        "acknowledgement.by is missing",
        "device.source is missing",
        "colour is not asked for",
    ):
        assert mistake in err
    assert visitor.visit == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('reference = "staff-17"', 'reference = "Ann Example"', "trainer.reference must be a reference"),
        ("at = 2026-11-20", 'at = "last week"', "consent.at must be a date"),
        ('parameters = ["blood_pressure"]', "parameters = []", "order.parameters must be a list"),
        ('credentials = "RN"', "credentials = 7", "trainer.credentials must be the usual letters"),
        ("[acknowledgement]", '[service]\nrules = "none"\n[acknowledgement]', "service.rules must be"),
        ("[acknowledgement]", '[service]\ntimezone = "Mars"\n[acknowledgement]', "service.timezone names no time zone"),
        ("[acknowledgement]", "[assignment]\nslot = 999\n[acknowledgement]", "assignment.slot must be a whole number"),
        ("[acknowledgement]", "[acknowledgement", "is not TOML"),
        ('clearance = "K141160"', 'clearance = "cleared"', "device.clearance must be a 510(k)"),
        ('status = "device_201h"', 'status = "fine"', "device.status must be"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_its_path(visitor: Visitor, old: str, new: str, said: str) -> None:
    assert said in refusal(visitor, script=visitor.script.replace(old, new))


def test_a_file_for_another_patient_is_refused(visitor: Visitor) -> None:
    assert "patient is another than the command names" in refusal(visitor, "pt-someone-else")


def test_a_file_that_is_not_there_is_told(visitor: Visitor) -> None:
    done = visitor.clinic.run("setup", "--file", "/nowhere/visit.toml")
    assert (done.returncode, "cannot be read" in done.stderr) == (69, True)


def test_a_file_comes_on_standard_input_as_well(visitor: Visitor) -> None:
    command = visitor.clinic.command("setup", "--file", "-")
    done = subprocess.run(command, input='patient = "x"', capture_output=True, text=True, check=False)
    assert done.returncode == 65
    assert "-: consent.form is missing." in done.stderr


def test_a_device_nobody_heard_leaves_the_visit_open(visitor: Visitor) -> None:
    code, _, err = visitor.setup("--wait", "0")
    assert code == 69
    assert "has not heard this device yet" in err
    assert visitor.missing[0] == "pairing"
    visitor.heard()
    assert visitor.finished("--resume")["state"] == "done"


def test_a_bluetooth_device_nobody_heard_says_why(visitor: Visitor) -> None:
    script = visitor.script.replace(visitor.device, f"ble:{visitor.mac}")
    code, _, err = visitor.setup("--wait", "0", script=script)
    assert (code, "not part of this version" in err) == (69, True)


def test_one_device_has_one_visit_at_a_time(visitor: Visitor) -> None:
    visitor.heard()
    assert visitor.setup("--wait", "0")[0] == 69
    assert "under way" in refusal(visitor)
    assert "under way" in refusal(visitor, script=visitor.script.replace(visitor.patient, "pt-other"))


def test_another_patients_device_is_refused_before_anything_is_kept(visitor: Visitor) -> None:
    visitor.heard()
    assert visitor.clinic.run("assign", visitor.device, "pt-other").returncode == 0
    assert "another patient's" in refusal(visitor)
    assert visitor.visit == {}


def test_an_abandoned_visit_leaves_its_reason_and_makes_room(visitor: Visitor) -> None:
    visitor.heard()
    visitor.setup("--wait", "0")
    assert "for what reason" in visitor.clinic.run("setup", visitor.patient, "--abandon").stderr
    done = visitor.clinic.run("setup", visitor.patient, "--abandon", "--why", "the cuff is torn")
    assert (done.returncode, "is abandoned" in done.stdout) == (0, True)
    assert visitor.visit == {}
    record = visitor.finished()
    states = [
        (each["state"], each["why"])
        for each in visitor.held(record).values()
        if each["type"] == "setup" and each["patient"] == visitor.patient and each["state"] != "answered"
    ]
    assert states == [("begun", None), ("abandoned", "the cuff is torn"), ("begun", None), ("done", None)]


def test_what_is_not_there_cannot_be_taken_up(visitor: Visitor) -> None:
    for words in ((visitor.patient, "--resume"), (visitor.patient, "--abandon"), ("--file", "-", "--resume")):
        done = visitor.clinic.run("setup", *words)
        assert done.returncode == 65
        assert done.stderr.startswith("vitals-gateway: ")


def test_without_a_terminal_and_a_file_nothing_begins(visitor: Visitor) -> None:
    done = visitor.clinic.run("setup", visitor.patient)
    assert (done.returncode, "give them with --file" in done.stderr) == (65, True)


def test_who_was_at_a_visit_is_in_the_access_log_once_an_hour(visitor: Visitor) -> None:
    visitor.heard()
    record = visitor.finished()
    seen = [
        each["what"]
        for each in visitor.held(record).values()
        if each["type"] == "event" and each["name"] == "access" and each["patient"] == visitor.patient
    ]
    # the technician's login and the test's own questions; the hour may end meanwhile
    assert 1 <= len(seen) <= 4
    assert set(seen) == {"setup"}


def test_a_visit_under_way_is_told_by_status_and_a_typed_value_has_the_patients_date(visitor: Visitor) -> None:
    visitor.heard()
    visitor.setup("--wait", "0")
    assert any("setup visits are under way" in each for each in visitor.clinic.ask(do="status")["needs_person"])
    visitor.finished("--resume", script=visitor.script + '[service]\ntimezone = "Pacific/Auckland"\n')
    entered = visitor.clinic.ask(do="enter", patient=visitor.patient, values=["pulse=70"], by="staff")
    record = visitor.clinic.ask(do="queue.show", id=entered["record_id"])["record"]
    assert record["measured_at"].endswith("+13:00")
