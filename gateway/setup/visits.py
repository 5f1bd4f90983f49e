"""
The daemon's side of setup visits: one question at a time, and every answer durable before it is answered.

A device has at most one visit under way. What is known of a visit is folded from the ledger when it is first asked for,
so a daemon that was killed goes on where it stood.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from buffer.store import Store
from config.rules import catalogue, profiles
from gateway.access import EVERYONE
from gateway.acts import act_draft
from gateway.core.catalogue import UNKNOWN, Evidence, look_up
from gateway.core.errors import BadInput, NotThere
from gateway.core.link import LinkState
from gateway.core.time import Clock, Instant, utc_text
from gateway.manual import patient_reference
from gateway.registry import Act, Registry
from gateway.setup import form, visit
from gateway.setup.sight import Heard, heard_in
from gateway.setup.visit import Body, Visit

Question = Mapping[str, Any]
Record = tuple[str, Body]
# "Lately": the devices of this many records are offered for choice. A home hears them in weeks, a fleet's hub in hours.
_LATELY_RECORDS = 1_000
_PORTION = 500
_WHY_MAX = 1_000


class Visits:
    """Visits under way, and the questions a command may ask of them."""

    def __init__(
        self, store: Store, registry: Registry, clock: Clock, hub: Mapping[str, str], links: Sequence[LinkState]
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._hub = hub
        self._links = links
        self._one = asyncio.Lock()
        self._open: dict[str, Visit] | None = None

    def questions(self) -> dict[str, Callable[[Question], Awaitable[Body]]]:
        """What can be asked, by name."""
        return {
            "setup.list": self._list,
            "setup.begin": self._begin,
            "setup.answer": self._answer,
            "setup.show": self._show,
            "setup.finish": self._finish,
            "setup.abandon": self._abandon,
            "setup.record": self._record,
        }

    async def _list(self, question: Question) -> Body:
        """Open visits, of one patient where one is named, and the devices heard lately."""
        async with self._one:
            patient = question.get("patient")
            visits = [each for each in (await self._visits()).values() if patient in (None, each.patient)]
            told = {"open": [await self._told(each) for each in visits], "heard": await self._lately()}
            return told | {"patient": patient if isinstance(patient, str) else EVERYONE}

    async def _begin(self, question: Question) -> Body:
        async with self._one:
            now = self._clock.now()
            patient = patient_reference(_text(question, "patient"))
            answers = self._checked(form.DEVICE, question.get("answers"), now)
            device = answers["id"]
            if device in await self._visits():
                raise BadInput(
                    "A visit for this device is under way; go on with `vitals-gateway setup --resume`, "
                    "or end it with --abandon --why."
                )
            self._check_free(device, patient, question, now)
            heard = (await self._last_heard()).get(device)
            act = self._act(question, now)
            name = sha256(f"{device}\x1f{patient}\x1f{now.text}\x1f{self._hub['id']}".encode()).hexdigest()[:16]
            body = self._registry.visit(act, device, patient, "begun")
            (record_id,) = await self._keep(now, ("setup", body | visit.begun(name, device, heard, answers)))
            entry = await self._store.record(record_id)
            if entry is None:
                raise NotThere("The visit's first record is gone from the store; look at its state with `status`.")
            self._known[device] = visit.visit_of(entry.record)
            return await self._told(self._known[device])

    async def _answer(self, question: Question) -> Body:
        async with self._one:
            now, found = self._clock.now(), await self._found(question)
            step = form.NAMED.get(_text(question, "step"))
            if step is None or step not in form.ASKED or step is form.DEVICE:
                raise BadInput("The visit has no such step to answer; is the command of another version?")
            answers = self._checked(step, question.get("answers"), now)
            act = self._act(question, now)
            await self._look(found)
            more = self._assigned(found, answers, act) if step.name == "assignment" else []
            if answers != found.answers.get(step.name):
                body = self._registry.visit(act, found.device, found.patient, "answered")
                answered = body | {"visit": found.id, "step": step.name, "answers": answers}
                await self._keep(now, *more, ("setup", answered))
                found.apply(answered)
            return await self._told(found)

    async def _show(self, question: Question) -> Body:
        async with self._one:
            return await self._told(await self._found(question))

    async def _finish(self, question: Question) -> Body:
        async with self._one:
            now, found = self._clock.now(), await self._found(question)
            await self._look(found)
            if found.missing:
                raise BadInput(f"The visit is not complete: {', '.join(found.missing)}; {_last_word(found)}")
            act = self._act(question, now)
            service, records = self._served(found, act, now)
            body = self._registry.visit(act, found.device, found.patient, "done")
            told = visit.done(found, self._evidence(found), service, self._hub, synchronised=now.synchronised)
            record_id, *_ = await self._keep(now, ("setup", body | told | {"ended_at": now.text}), *records)
            del self._known[found.device]
            return await self._kept(record_id)

    async def _abandon(self, question: Question) -> Body:
        async with self._one:
            now, found = self._clock.now(), await self._found(question)
            act = self._act(question, now)
            if not act.why:
                raise BadInput("Say with --why for what reason the visit is abandoned; the reason is kept with it.")
            body = self._registry.visit(act, found.device, found.patient, "abandoned")
            (record_id,) = await self._keep(now, ("setup", body | {"visit": found.id}))
            del self._known[found.device]
            return await self._kept(record_id)

    async def _record(self, question: Question) -> Body:
        """The last setup record of a patient that is done."""
        patient = patient_reference(_text(question, "patient"))
        records = await self._store.ledger(("setup",))
        done = [each for each in records if each["state"] == "done" and each["patient"] == patient and "visit" in each]
        if not done:
            raise BadInput("No visit of this patient is under way or done; begin one with `vitals-gateway setup`.")
        return {"record": done[-1], "patient": patient}

    # What a question needs

    @property
    def _known(self) -> dict[str, Visit]:
        if self._open is None:
            raise NotThere("The visits were not read; ask again.")
        return self._open

    async def _visits(self) -> dict[str, Visit]:
        if self._open is None:
            self._open = visit.open_visits(await self._store.ledger(("setup",)))
        return self._open

    async def _found(self, question: Question) -> Visit:
        visits = await self._visits()
        found = next((each for each in visits.values() if each.id == question.get("visit")), None)
        if found is None:
            raise BadInput("That visit is not under way; it was completed or abandoned meanwhile.")
        return found

    def _act(self, question: Question, now: Instant) -> Act:
        why = question.get("why")
        if why is not None and (not isinstance(why, str) or len(why) > _WHY_MAX or not why.isprintable()):
            raise BadInput(f"A reason is text of at most {_WHY_MAX} printable characters.")
        return Act(now.utc_ms, _text(question, "by") or "unknown", why or None)

    def _checked(self, step: form.Step, table: Any, now: Instant) -> Body:
        if not isinstance(table, dict):
            raise BadInput("Answers are an object; is the command of another version?")
        found, mistakes = form.answers(step, table, now.utc_ms, ZoneInfo(self._hub["timezone"]))
        if mistakes:
            raise BadInput("\n".join(mistakes))
        if step.name == "service":
            found["timezone"] = found["timezone"] or self._hub["timezone"]
        return found

    def _check_free(self, device: str, patient: str, question: Question, now: Instant) -> None:
        """Where the slot is known beforehand, refuse what the assignment would refuse, before anything is kept."""
        if "slot" in question and not self._is_theirs(device, patient, question["slot"]):
            self._registry.assign(Act(now.utc_ms, ""), device, patient, slot=question["slot"])

    def _is_theirs(self, device: str, patient: str, slot: int | None) -> bool:
        spans = self._registry.assignments(device)
        return any(span.to_ms is None and (span.patient, span.slot) == (patient, slot) for span in spans)

    def _assigned(self, found: Visit, answers: Body, act: Act) -> list[Record]:
        """The records that make the device the patient's: its registration, its assignment, the end of a wrong slot."""
        if found.sight.heard is None:
            raise BadInput("The hub has not heard the device yet, so it cannot be assigned; let it measure once.")
        records: list[Record] = []
        evidence, device = self._evidence(found), found.device
        if not self._registry.is_registered(device) or evidence != self._registry.evidence(device):
            records.append(("device", self._registry.register(act, visit.identity_of(found), evidence)))
        if self._is_theirs(device, found.patient, answers["slot"]):
            return records
        if "assignment" in found.answers and self._is_theirs(device, found.patient, found.slot):
            ended = self._registry.unassign(act, device, slot=found.slot)
            records += [("assignment", body) for body in ended if body["patient"] == found.patient]
        return [*records, ("assignment", self._registry.assign(act, device, found.patient, slot=answers["slot"]))]

    def _evidence(self, found: Visit) -> Evidence:
        """What a document says: the technician's, named with its source, else the catalogue's, else what was known."""
        told = found.answers["device"]
        if told["status"]:
            stated = {key: told[key] for key in ("status", "clearance", "source")}
            return Evidence(**stated, checked=found.begun_at[:10])
        identity = visit.identity_of(found)
        listed = look_up(catalogue(), identity.model, identity.manufacturer)
        return self._registry.evidence(found.device) if listed == UNKNOWN else listed

    def _served(self, found: Visit, act: Act, now: Instant) -> tuple[Body, list[Record]]:
        """The service the visit belongs to, and the enrolment that begins it now, unless it runs already."""
        terms = found.answers["service"]
        program, zone = profiles()[terms["rules"]].program, ZoneInfo(terms["timezone"])
        running = self._registry.open_enrolment(found.patient, program)
        if running:
            told = {"rules": running.rules, "timezone": running.timezone, "practitioners": running.practitioners}
            return told | {"program": program.value, "start": utc_text(running.start_ms), "begun": False}, []
        given = [form.moment_ms(found.answers[step]["at"], zone) for step in ("order", "consent")]
        dates_ms = (min(given[0], now.utc_ms), min(given[1], now.utc_ms), now.utc_ms)
        body = self._registry.enrol(
            act, found.patient, (terms["rules"], program), zone.key, dates_ms, practitioners=terms["practitioners"]
        )
        return terms | {"program": program.value, "start": body["start"], "begun": True}, [("enrolment", body)]

    # What is seen and kept

    async def _keep(self, now: Instant, *records: Record) -> list[str]:
        """Keep records in one transaction, and only then apply them; their ids."""
        drafts = [act_draft(type_, body, now.utc_ms) for type_, body in records]
        await self._store.append(drafts)
        for draft in drafts:
            self._registry.apply({"type": draft.type, **draft.body})
        return [draft.record_id for draft in drafts]

    async def _kept(self, record_id: str) -> Body:
        entry = await self._store.record(record_id)
        if entry is None:
            raise NotThere("The record is gone from the store; look at its state with `status`.")
        return {"record": entry.record, "patient": entry.record["patient"]}

    async def _told(self, found: Visit) -> Body:
        """A visit as a command sees it."""
        await self._look(found)
        heard = found.sight.heard
        return {
            "visit": found.id,
            "device": found.device,
            "patient": found.patient,
            "by": found.by,
            "begun_at": found.begun_at,
            "answers": found.answers,
            "missing": found.missing,
            "heard": heard.as_json() if heard else None,
            "regulatory": visit.evidence_json(self._evidence(found)),
            "receipt": found.sight.receipt,
            "why": self._why(found),
        }

    def _why(self, found: Visit) -> str:
        """Why there is no receipt yet; where a reading waits, what the uploader says."""
        uploads = [link for link in self._links if link.kind == "upload"]
        if found.sight.receipt is None and found.sight.candidates and not uploads:
            return "This hub has no [upload], so no backend can accept the reading; the visit cannot be completed."
        stands = [link.why for link in uploads if not link.is_up and link.why]
        return f"{found.sight.why} {' '.join(stands)}".strip()

    async def _look(self, found: Visit) -> None:
        """Bring what a visit has seen up to now."""
        sight, named = found.sight, found.device.encode()
        while entries := await self._store.readings_after(sight.seq, _PORTION):
            for entry in entries:
                record = entry.record if named in entry.bytes else None
                if record and record["device"]["id"] == found.device:
                    sight.look(record, found.patient, found.slot)
            sight.seq = entries[-1].seq
        for record_id in sight.candidates if sight.receipt is None else ():
            candidate = await self._store.record(record_id)
            if candidate is not None and sight.receipt is None:
                sight.settle(candidate)

    async def _lately(self) -> list[Body]:
        """The devices heard lately, the latest first, with whose they are and what is documented of them."""
        heard = sorted((await self._last_heard()).items(), key=lambda each: each[1].received_at, reverse=True)
        now_ms = self._clock.now().utc_ms
        return [
            {
                "device": device,
                **told.as_json(),
                "patient": self._registry.binding(device, None, now_ms).patient,
                "regulatory": visit.evidence_json(look_up(catalogue(), told.model, told.manufacturer)),
            }
            for device, told in heard
        ]

    async def _last_heard(self) -> dict[str, Heard]:
        newest = (await self._store.stats()).newest_seq
        entries = await self._store.readings_after(max(0, newest - _LATELY_RECORDS), _LATELY_RECORDS)
        records = [entry.record for entry in entries]
        return {each["device"]["id"]: heard_in(each) for each in records if each["capture"] == "device"}


def _last_word(found: Visit) -> str:
    return found.sight.why if found.missing == [form.TEST_READING] else "answer these with --resume."


def _text(question: Question, key: str) -> str:
    value = question.get(key)
    return value if isinstance(value, str) else ""
