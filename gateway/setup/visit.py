"""A visit as the ledger tells it, and the record it ends with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import __version__
from gateway.core.catalogue import Evidence
from gateway.core.reading import DeviceIdentity
from gateway.setup.form import PAIRING, STEPS, TEST_READING
from gateway.setup.sight import Heard, Sight

Body = dict[str, Any]


@dataclass(slots=True)
class Visit:
    """
    One visit under way.

    id       names it in every record of it
    seq      of its first record: what the hub kept after that may be the test reading
    answers  step -> what was last answered; `at` when
    sight    what was heard of the device since
    """

    id: str
    device: str
    patient: str
    by: str
    begun_at: str
    answers: dict[str, Body] = field(default_factory=dict)
    at: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    sight: Sight = field(default_factory=Sight)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take in an answer: the last one to a step stands."""
        self.answers[record["step"]] = record["answers"]
        self.at[record["step"]] = record["at"]

    @property
    def slot(self) -> int | None:
        """The patient's slot on a shared device."""
        slot: int | None = self.answers.get("assignment", {}).get("slot")
        return slot

    @property
    def missing(self) -> list[str]:
        """The steps that still stand out, in their order."""
        seen = {PAIRING: self.sight.heard is not None, TEST_READING: self.sight.receipt is not None}
        return [step.name for step in STEPS if not seen.get(step.name, step.name in self.answers)]


def begun(visit_id: str, device: str, heard: Heard | None, answers: Body) -> Body:
    """What the first record says beside who, when and whom."""
    told = {key: value for key, value in answers.items() if key != "id"}
    return {"visit": visit_id, "device": device, "step": "device", "answers": told | {"heard": _json(heard)}}


def open_visits(records: Iterable[Mapping[str, Any]]) -> dict[str, Visit]:
    """The visits under way after these `setup` records, by device; records of before there were steps open none."""
    found: dict[str, Visit] = {}
    for record in records:
        if "visit" not in record:
            continue
        if record["state"] == "begun":
            found[record["device"]] = visit_of(record)
        elif record["state"] == "answered" and record["device"] in found:
            found[record["device"]].apply(record)
        else:
            found.pop(record["device"], None)
    return found


def visit_of(record: Mapping[str, Any]) -> Visit:
    """The visit a `begun` record opens."""
    visit = Visit(record["visit"], record["device"], record["patient"], record["by"], record["at"])
    visit.apply(record)
    visit.seq = record.get("seq", 0)
    heard = record["answers"]["heard"]
    visit.sight = Sight(visit.seq, Heard(**heard) if heard else None)
    return visit


def identity_of(visit: Visit) -> DeviceIdentity:
    """What the device says it is; its UDI where the device does not say it, as the label does."""
    heard, stated = visit.sight.heard, visit.answers["device"].get("udi_di")
    if heard is None:
        return DeviceIdentity(id=visit.device, udi_di=stated)
    return DeviceIdentity(
        id=visit.device,
        manufacturer=heard.manufacturer,
        model=heard.model,
        serial=heard.serial,
        firmware=heard.firmware,
        udi_di=heard.udi_di or stated,
    )


def done(visit: Visit, evidence: Evidence, service: Body, hub: Mapping[str, str], *, synchronised: bool) -> Body:
    """Every field of the setup record but who, when and whom (billing rules, section 2)."""
    answers, identity = visit.answers, identity_of(visit)
    heard, order = visit.sight.heard, answers["order"]
    return {
        "visit": visit.id,
        "device": visit.device,
        "started_at": visit.begun_at,
        "identity": {
            "manufacturer": identity.manufacturer,
            "model": identity.model,
            "serial": identity.serial,
            "firmware": identity.firmware,
            "udi_di": identity.udi_di,
            "udi_from": _udi_from(visit, identity),
        },
        "regulatory": evidence_json(evidence),
        "pairing": {"heard_at": heard.received_at, "driver": heard.driver, "transport": heard.transport}
        if heard
        else None,
        "assignment": {"slot": visit.slot, "at": visit.at["assignment"]},
        "parameters": order["parameters"],
        "training": answers["training"],
        "demonstration": answers["demonstration"] | {"transmitted": True},
        "consent": answers["consent"],
        "order": {"reference": order["reference"], "at": order["at"]},
        "trainer": answers["trainer"],
        "acknowledgement": answers["acknowledgement"] | {"at": visit.at["acknowledgement"]},
        "test_reading": visit.sight.receipt,
        "service": service,
        "hub": {"id": hub["id"], "site": hub["site"], "clock_synchronised": synchronised},
        "software": f"vitals-gateway/{__version__}",
    }


def evidence_json(evidence: Evidence) -> Body:
    """A device's regulatory status as it stands in a record."""
    return {
        "status": evidence.status,
        "specific_code": evidence.specific_code,
        "clearance": evidence.clearance,
        "source": evidence.source,
        "checked": evidence.checked,
    }


def _udi_from(visit: Visit, identity: DeviceIdentity) -> str | None:
    if identity.udi_di is None:
        return None
    return "device" if visit.sight.heard and visit.sight.heard.udi_di else "label"


def _json(heard: Heard | None) -> Body | None:
    return None if heard is None else heard.as_json()
