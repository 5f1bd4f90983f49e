"""
The registry: the roster, and the bodies of the records by which people change it.

Each builder checks what is asked against the view and gives a body to append; the view changes only when the record is
kept and applied. Nothing is back-dated silently: whoever enters what began or ended before now says so and why.
"""

from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.catalogue import UNKNOWN, Evidence
from gateway.core.errors import BadInput
from gateway.core.reading import DeviceIdentity
from gateway.core.roster import LEDGER_TYPES, Assignment, Binding, Enrolment, Roster
from gateway.core.rules import Program
from gateway.core.time import utc_text

__all__ = ["LEDGER_TYPES", "PRACTITIONERS_MAX", "SLOT_MAX", "Act", "Binding", "Registry"]

# A user's slot is one byte in every protocol read here, and 255 is the SIG's word for "unknown user".
SLOT_MAX = 254
# One is the rule and two a reason to look; more digits than this are a slip of the hand.
PRACTITIONERS_MAX = 99
_STATUSES = ("device_201h", "wellness", "unknown")


@dataclass(frozen=True, slots=True)
class Act:
    """
    A person's act: when, who and why.

    backdated  the person says so knowingly: what they enter begins or ended before now
    """

    now_ms: int
    by: str
    why: str | None = None
    backdated: bool = False

    def body(self) -> dict[str, Any]:
        """What every record of an act carries."""
        return {"at": utc_text(self.now_ms), "by": self.by, "why": self.why}


class Registry(Roster):
    """The roster with the acts that change it."""

    def register(self, act: Act, device: DeviceIdentity, evidence: Evidence) -> dict[str, Any]:
        """A `device` record; its regulatory status needs a source and a date, or is unknown."""
        if evidence.status not in _STATUSES:
            raise BadInput(f"A device's regulatory status is one of {', '.join(_STATUSES)}.")
        if evidence.status != UNKNOWN.status and not (evidence.source and evidence.checked):
            raise BadInput("A device's regulatory status needs its source and the date it was checked; give both.")
        return {
            **act.body(),
            "device": device.id,
            "status": evidence.status,
            "specific_code": evidence.specific_code,
            "clearance": evidence.clearance,
            "source": evidence.source,
            "checked": evidence.checked,
            "manufacturer": device.manufacturer,
            "model": device.model,
            "serial": device.serial,
            "firmware": device.firmware,
            "udi_di": device.udi_di,
        }

    def assign(
        self, act: Act, device: str, patient: str, *, slot: int | None = None, from_ms: int | None = None
    ) -> dict[str, Any]:
        """An `assignment` record from now, or from an instant; raises BadInput where it contradicts another."""
        start_ms = act.now_ms if from_ms is None else from_ms
        _check_backdating(act, start_ms, "The assignment would begin before now")
        if slot is not None and not 0 <= slot <= SLOT_MAX:
            raise BadInput(f"A slot is a whole number from 0 to {SLOT_MAX}; give the one the device shows.")
        span = Assignment(device, patient, slot, start_ms)
        for old in self.assignments(device):
            if old.overlaps(span):
                raise BadInput(_taken(old, span))
        return _assignment(act, "assign", span)

    def unassign(
        self, act: Act, device: str, *, slot: int | None = None, to_ms: int | None = None
    ) -> list[dict[str, Any]]:
        """
        `assignment` records that end what is open of a device: all of it, or one slot.

        Raises BadInput where nothing is open, or where the end lies before the start.
        """
        end_ms = act.now_ms if to_ms is None else to_ms
        _check_backdating(act, end_ms, "The assignment would end before now")
        open_ = [span for span in self.assignments(device) if span.to_ms is None and slot in (None, span.slot)]
        if not open_:
            raise BadInput("Nobody wears that device now; check its name, and its slot where it has several.")
        if any(span.from_ms > end_ms for span in open_):
            raise BadInput("The assignment would end before it began; give a later end.")
        return [_assignment(act, "unassign", replace(span, to_ms=end_ms)) for span in open_]

    def enrol(
        self,
        act: Act,
        patient: str,
        rules: tuple[str, Program],
        timezone: str,
        dates_ms: tuple[int, int, int],
        *,
        practitioners: int = 1,
    ) -> dict[str, Any]:
        """
        An `enrolment` record under a rule profile (name, program).

        `dates_ms` are order, consent and setup completed; the service begins with the last of them. Raises BadInput for
        a zone that does not exist, a silent back-dating, no practitioner, or an episode that runs at that time.
        """
        name, program = rules
        _check_zone(timezone)
        _check_practitioners(practitioners)
        start_ms = max(dates_ms)
        _check_backdating(act, start_ms, "The service would begin before now")
        for old in self.enrolments(patient):
            if old.program is program and (old.end_ms is None or old.end_ms >= start_ms):
                raise BadInput("The patient is enrolled in this program at that time; end that enrolment first.")
        episode = Enrolment(
            patient=patient,
            program=program,
            rules=name,
            timezone=timezone,
            start_ms=start_ms,
            practitioners=practitioners,
        )
        stages = dict(zip(("order_at", "consent_at", "setup_at"), map(utc_text, dates_ms), strict=True))
        return {**_enrolment(act, "begin", episode), **stages}

    def amend(self, act: Act, patient: str, program: Program, *, practitioners: int) -> dict[str, Any]:
        """An `enrolment` record that changes how many practitioners have active orders."""
        _check_practitioners(practitioners)
        return _enrolment(act, "amend", replace(self._open(patient, program), practitioners=practitioners))

    def end_enrolment(self, act: Act, patient: str, program: Program, end_ms: int | None = None) -> dict[str, Any]:
        """An `enrolment` record that ends the open episode, with its reason in `why`."""
        at_ms = act.now_ms if end_ms is None else end_ms
        if not act.why:
            raise BadInput("Say why the enrolment ends, with --why; the reason is kept with it.")
        _check_backdating(act, at_ms, "The enrolment would end before now")
        episode = self._open(patient, program)
        if at_ms < episode.start_ms:
            raise BadInput("The enrolment would end before it began; give a later end.")
        return _enrolment(act, "end", replace(episode, end_ms=at_ms))

    def visit(self, act: Act, device: str, patient: str, state: str) -> dict[str, Any]:
        """What every `setup` record has: `begun`, `answered`, `done` or `abandoned`; gateway.setup adds the rest."""
        if state not in ("begun", "answered", "done", "abandoned"):
            raise BadInput("A setup is answered, begun, done or abandoned.")
        return {**act.body(), "state": state, "device": device, "patient": patient}

    def _open(self, patient: str, program: Program) -> Enrolment:
        episode = self.open_enrolment(patient, program)
        if episode is None:
            raise BadInput("The patient has no open enrolment in this program; `vitals-gateway enrol` begins one.")
        return episode


def _taken(old: Assignment, new: Assignment) -> str:
    if old.patient == new.patient:
        return "The device is assigned to this patient at that time already; nothing needs to be done."
    return (
        "The device is another patient's at that time; end that assignment first (`vitals-gateway unassign`), "
        "or give each patient a slot of their own."
    )


def _check_backdating(act: Act, instant_ms: int, what: str) -> None:
    if instant_ms < act.now_ms and not (act.backdated and act.why):
        raise BadInput(
            f"{what}, so it is back-dated: give its time with --from and the reason with --why; the record shows both."
        )


def _check_practitioners(count: int) -> None:
    if not 1 <= count <= PRACTITIONERS_MAX:
        raise BadInput("At least one practitioner orders the monitoring; give their number.")


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError) as error:
        raise BadInput('That time zone does not exist; write it as "America/New_York".') from error


def _assignment(act: Act, action: str, span: Assignment) -> dict[str, Any]:
    return {
        **act.body(),
        "action": action,
        "device": span.device,
        "patient": span.patient,
        "slot": span.slot,
        "from": utc_text(span.from_ms),
        "to": None if span.to_ms is None else utc_text(span.to_ms),
        "backdated": act.backdated,
    }


def _enrolment(act: Act, action: str, episode: Enrolment) -> dict[str, Any]:
    return {
        **act.body(),
        "action": action,
        "patient": episode.patient,
        "program": episode.program.value,
        "rules": episode.rules,
        "timezone": episode.timezone,
        "practitioners": episode.practitioners,
        "start": utc_text(episode.start_ms),
        "end": None if episode.end_ms is None else utc_text(episode.end_ms),
        "backdated": act.backdated,
    }
