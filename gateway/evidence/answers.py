"""What the desk answers to `days` and `evidence`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from buffer.store import Store
from config.rules import profiles
from gateway.core.days import Ledger, ledger
from gateway.core.errors import BadInput
from gateway.core.roster import Roster
from gateway.core.secret import SecretRef
from gateway.evidence.derive import day_entries, notes_of
from gateway.evidence.document import Maker, packet
from gateway.evidence.gather import gathered, readings_of
from gateway.evidence.scope import Asked, Scope, scope_of
from uploader.signing import HubKey

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the answers come from; `uploads`: a backend acknowledges, else the hub's own receipt stands for it."""

    store: Store
    roster: Roster
    uploads: bool

    async def days(self, question: Mapping[str, Any], now_ms: int) -> Answer:
        """The day ledger of one period."""
        scope = scope_of(asked_of(question), self.roster, profiles(), now_ms)
        found = await self.ledger(scope, now_ms)
        head = {"patient": scope.enrolment.patient, "program": scope.enrolment.program.value, "episode": scope.episode}
        notes = notes_of(uploads=self.uploads, gone=await self.store.gone_since(scope.period.open_ms))
        return {**head, **found.as_json(), "notes": notes}

    async def ledger(self, scope: Scope, now_ms: int) -> Ledger:
        """The ledger itself."""
        entries = day_entries(await readings_of(self.store, scope), uploads=self.uploads)
        service = self.roster.service(scope.enrolment, scope.period)
        return ledger(entries, service, scope.period, scope.zone, scope.rules, now_ms)

    def known(self, question: Mapping[str, Any], now_ms: int) -> str:
        """The patient a question means; raises BadInput where it means none, or no period of theirs."""
        return scope_of(asked_of(question), self.roster, profiles(), now_ms).enrolment.patient


async def packet_answer(
    files: Files, question: Mapping[str, Any], now_ms: int, hub: Mapping[str, str], key: SecretRef | None
) -> Answer:
    """The packet of one period, sealed, and signed where the hub has a key."""
    asked = asked_of(question)
    scope = scope_of(asked, files.roster, profiles(), now_ms)
    exact = Asked(asked.patient, scope.enrolment.program.value, scope.episode, scope.period.number)
    core, links = await gathered(files.store, exact, scope, now_ms, uploads=files.uploads)
    maker = Maker(hub, str(question.get("operator") or "unknown"), HubKey(key) if key else None)
    return {"packet": packet(core, links, maker, profiles())}


def asked_of(question: Mapping[str, Any]) -> Asked:
    """What a question asks for; raises BadInput."""
    patient = question.get("patient")
    if not isinstance(patient, str) or not patient:
        raise BadInput("Name the patient by their reference, such as pt-8842.")
    program = question.get("program")
    return Asked(
        patient,
        program if isinstance(program, str) else None,
        _whole(question, "episode"),
        _whole(question, "period"),
    )


def _whole(question: Mapping[str, Any], key: str) -> int | None:
    value = question.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadInput(f"The {key} is a whole number, counted from 1.")
    return value
