"""A packet as one JSON document: made of its core, and taken apart again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import __version__
from gateway.core import checked
from gateway.core.bundle import FORMAT
from gateway.core.checked import Part
from gateway.core.errors import BadInput
from gateway.core.rules import Rules
from gateway.core.time import utc_text
from gateway.evidence.derive import Core, Json, derived
from gateway.evidence.scope import Asked
from gateway.evidence.seal import SEAL, Signer, sealed

PACKET = "vitals-evidence-packet/1"
HELD = ("transmissions", "history", "events")
KEYS = frozenset({
    "bundle", "patient", "period", "now", "packet", *HELD, "links", SEAL,
    "rules", "timezone", "enrolment", "devices", "readings", "assessment", "days", "issues", "clock", "access", "notes",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes a packet: the hub (`id`, `site`, `timezone`), the person who asked, the key if there is one."""

    hub: Mapping[str, str]
    by: str
    signer: Signer | None


def packet(core: Core, links: list[Json], maker: Maker, profiles: Mapping[str, Rules]) -> Json:
    """The whole document, sealed; `core.asked` says program, episode and period."""
    asked = core.asked
    document = {
        "bundle": FORMAT,
        "patient": asked.patient,
        "period": asked.number,
        "now": utc_text(core.now_ms),
        "packet": {
            "format": PACKET,
            "software": f"vitals-gateway/{__version__}",
            "hub": {key: maker.hub[key] for key in ("id", "site", "timezone")},
            "program": asked.program,
            "episode": asked.episode,
            "uploads": core.uploads,
            "gone": core.gone,
            "made_by": maker.by,
        },
        "transmissions": list(core.transmissions),
        "history": list(core.history),
        "events": list(core.events),
        "links": links,
        **derived(core, profiles),
    }
    return sealed(document, maker.signer)


def core_of(document: Json) -> Core:
    """What a document is made of; raises BadInput where it is no packet, with the path of what is wrong."""
    if not isinstance(document.get("packet"), dict):
        raise BadInput("The file is no evidence packet; `vitals-gateway evidence export` makes one.")
    mistakes: list[str] = []
    top = Part(document, "", mistakes)
    about = top.part("packet")
    top.get("bundle", lambda value: checked.word(value, (FORMAT,)))
    about.get("format", lambda value: checked.word(value, (PACKET,)))
    patient = top.get("patient", checked.text)
    number = top.get("period", lambda value: checked.whole(value, 1, 10_000))
    now_ms = top.get("now", checked.instant)
    program = about.get("program", lambda value: checked.word(value, ("RPM", "RTM")))
    episode = about.get("episode", lambda value: checked.whole(value, 1, 10_000))
    uploads = about.get("uploads", checked.flag)
    gone = about.get("gone", lambda value: checked.whole(value, 0, 2**53 - 1))
    held = {key: top.get(key, _items) for key in HELD}
    for key in sorted(KEYS - set(document)):
        top.wrong(key, "is missing")
    for key in sorted(set(document) - KEYS):
        top.wrong(key, "is no part of a packet")
    if mistakes or patient is None or now_ms is None:
        raise BadInput(mistakes[0])
    transmissions, history, events = (tuple(held[key] or ()) for key in HELD)
    asked = Asked(patient, program, episode, number)
    return Core(asked, now_ms, bool(uploads), gone or 0, transmissions, history, events)


def _items(value: Any) -> list[Json]:
    items = checked.a_list(value)
    for item in items:
        if not isinstance(item, dict) or set(item) != {"record", "state", "acked_at", "reason"}:
            raise ValueError("must be a list of records with state, acked_at and reason")
        if not isinstance(item["record"], dict) or type(item["record"].get("seq")) is not int:
            raise ValueError("must hold whole records, each with its seq")
    return list(items)
