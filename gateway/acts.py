"""A person's acts on the registry, from a question to the bodies of the records that keep them."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from config.rules import DEFAULT, catalogue, profiles
from gateway.core.catalogue import UNKNOWN, Evidence, look_up
from gateway.core.errors import BadInput, BadValue
from gateway.core.reading import DeviceIdentity, Draft
from gateway.core.record import canonical
from gateway.core.time import DeviceTime, utc_text
from gateway.manual import patient_reference
from gateway.registry import Act, Registry

Body = tuple[str, dict[str, Any], str]
_DEVICE_ID_MAX = 160


def acts(
    question: Mapping[str, Any], registry: Registry, now_ms: int, zone: str, said: DeviceIdentity | None
) -> list[Body]:
    """
    The records one command makes, as (type, body, what to tell the person); raises BadInput where it contradicts.

    `said` is what the device last said it is: the regulatory catalogue is asked for that.
    """
    why = _text(question, "why")
    start_ms = _instant_ms(_text(question, "from"))
    act = Act(now_ms, _text(question, "by") or "unknown", why, backdated=start_ms is not None and start_ms < now_ms)
    match question["do"]:
        case "assign":
            return _assign(question, registry, act, start_ms, said)
        case "unassign":
            return _unassign(question, registry, act)
        case _:
            return _enrol(question, registry, act, start_ms, zone)


def act_draft(type_: str, body: Mapping[str, Any], now_ms: int) -> Draft:
    """An act's record: its content and its moment name it, so that a repeated command is a new act."""
    digest = sha256(canonical({"type": type_, **body, "moment": utc_text(now_ms)})).hexdigest()
    return Draft(digest, type_, dict(body), now_ms)


def _assign(
    question: Mapping[str, Any], registry: Registry, act: Act, start_ms: int | None, known: DeviceIdentity | None
) -> list[Body]:
    device, patient = _device(question), patient_reference(_text(question, "patient") or "")
    bodies: list[Body] = []
    identity = known or DeviceIdentity(id=device)
    evidence = _evidence(question, act, identity)
    if not registry.is_registered(device) or evidence.status != UNKNOWN.status:
        bodies.append(("device", registry.register(act, identity, evidence), ""))
    body = registry.assign(act, device, patient, slot=_slot(question), from_ms=start_ms)
    said = f"{device} is {patient}'s from {body['from']}. {_standing(bodies, registry, device)}"
    return [*bodies, ("assignment", body, said)]


def _standing(bodies: list[Body], registry: Registry, device: str) -> str:
    status = bodies[0][1]["status"] if bodies else registry.evidence(device).status
    if status == UNKNOWN.status:
        return (
            "No source says that this model is a medical device (201(h)), so its days do not count yet: "
            "give --status and --source once a document says it."
        )
    return f"Its regulatory status is {status}."


def _unassign(question: Mapping[str, Any], registry: Registry, act: Act) -> list[Body]:
    device = _device(question)
    bodies = registry.unassign(act, device, slot=_slot(question))
    said = f"Nobody wears {device} from {bodies[0]['to']} on; what was measured before stays where it is."
    return [("assignment", body, said) for body in bodies]


def _enrol(question: Mapping[str, Any], registry: Registry, act: Act, start_ms: int | None, zone: str) -> list[Body]:
    patient = patient_reference(_text(question, "patient") or "")
    name = _text(question, "rules") or DEFAULT
    if name not in profiles():
        raise BadInput(f"There is no rule profile of that name; there are {', '.join(profiles())}.")
    program = profiles()[name].program
    if question.get("end"):
        body = registry.end_enrolment(act, patient, program, start_ms)
        return [("enrolment", body, f"The {program.value} service of {patient} ended at {body['end']}.")]
    dates_ms = _dates_ms(question, act, start_ms)
    count = _practitioners(question)
    if count is not None and dates_ms is None and registry.open_enrolment(patient, program):
        body = registry.amend(act, patient, program, practitioners=count)
        return [
            ("enrolment", body, f"{count} practitioners have active orders for {patient}'s {program.value} service.")
        ]
    zone = _text(question, "timezone") or zone
    stages = dates_ms or (act.now_ms,) * 3
    body = registry.enrol(act, patient, (name, program), zone, stages, practitioners=count or 1)
    return [("enrolment", body, f"{patient} is enrolled in {program.value} from {body['start']} under {name}.")]


def _dates_ms(question: Mapping[str, Any], act: Act, start_ms: int | None) -> tuple[int, int, int] | None:
    """When it was ordered, consented to and set up; None where nothing was said, and then all are now."""
    ordered, consented = (_instant_ms(_text(question, key)) for key in ("order", "consent"))
    if ordered is None and consented is None and start_ms is None:
        return None
    setup_ms = act.now_ms if start_ms is None else start_ms
    for name, instant_ms in (("order", ordered), ("consent", consented)):
        if instant_ms is not None and instant_ms > act.now_ms:
            raise BadInput(f"The {name} would lie in the future; give the time at which it was given.")
    return (setup_ms if ordered is None else ordered, setup_ms if consented is None else consented, setup_ms)


def _practitioners(question: Mapping[str, Any]) -> int | None:
    count = question.get("practitioners")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise BadInput("At least one practitioner orders the monitoring; give their number.")
    return count


def _evidence(question: Mapping[str, Any], act: Act, identity: DeviceIdentity) -> Evidence:
    """What a document says: the operator's, named with its source, else the catalogue's."""
    status = _text(question, "status")
    if status is None:
        return look_up(catalogue(), identity.model, identity.manufacturer)
    source = _text(question, "source")
    if source is None:
        raise BadInput("A regulatory status needs the document that says it; give it with --source.")
    return Evidence(status=status, source=source, checked=utc_text(act.now_ms)[:10])


def _device(question: Mapping[str, Any]) -> str:
    device = _text(question, "device") or ""
    if ":" not in device or len(device) > _DEVICE_ID_MAX or not device.isprintable():
        raise BadInput("Name the device by its id, for example bodytrace:356789000000000; `status` lists them.")
    return device


def _slot(question: Mapping[str, Any]) -> int | None:
    slot = question.get("slot")
    if slot is not None and (isinstance(slot, bool) or not isinstance(slot, int)):
        raise BadInput("A slot is a whole number; give the one the device shows.")
    return slot


def _text(question: Mapping[str, Any], key: str) -> str | None:
    value = question.get(key)
    return value if isinstance(value, str) and value else None


def _instant_ms(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        utc_ms = DeviceTime.iso(text).utc_ms
    except BadValue as error:
        raise BadInput("Write the time as 2026-11-20T09:00:00-05:00.") from error
    if utc_ms is None:
        raise BadInput("Write the time with its offset from UTC, for example 2026-11-20T09:00:00-05:00.")
    return utc_ms
