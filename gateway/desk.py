"""Answers what commands ask: the one place where a question becomes a call."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from buffer.rows import Entry
from buffer.store import Store
from gateway.access import EVERYONE, access_draft
from gateway.acts import act_draft, acts
from gateway.attention import NOT_RUNNING, lasting
from gateway.core.errors import BadInput, StoreFull
from gateway.core.secret import SecretRef
from gateway.core.time import utc_text
from gateway.health import Watched, status_json
from gateway.intake import Intake, Place
from gateway.manual import typed_reading
from gateway.registry import Registry
from gateway.replaying import arrival_of
from gateway.tally import Tally
from gateway.troubles import PREFIX, Troubles

if TYPE_CHECKING:
    from gateway.evidence.answers import Files
    from gateway.setup.visits import Visits

Question = Mapping[str, Any]
Answer = dict[str, Any]
_LISTED_MAX = 200  # rows of `queue`: what a person can read


@dataclass(slots=True)
class Desk:
    """What the daemon can be asked; the same questions work without a daemon, on the store alone."""

    store: Store
    registry: Registry
    intake: Intake
    watched: Watched
    place: Place
    running: bool
    tally: Tally
    uploads: bool  # a backend acknowledges; without one the hub's own receipt stands for it
    sign_key: SecretRef | None = None
    _visits: "Visits | None" = field(default=None, init=False)

    async def ask(self, question: Question) -> Answer:
        """Answer one question; raises a GatewayError with a sentence for whoever asked."""
        table: dict[str, Callable[[Question], Awaitable[Answer]]] = {
            "status": self._status,
            "queue": self._queue,
            "queue.show": self._show,
            "queue.retry": self._retry,
            "enter": self._enter,
            "replay": self._replay,
            "assign": self._act,
            "unassign": self._act,
            "enrol": self._act,
            "days": self._days,
            "evidence": self._evidence,
        }
        name = str(question.get("do"))
        answer = table.get(name) or (self._at_visit(name) if name.startswith("setup.") else None)
        if answer is None:
            raise BadInput("The daemon does not know this question; is the command of another version?")
        told = await answer(question)
        patient = told.get("patient") if name.startswith("setup.") else None
        return await self._logged("setup", patient, question, told) if isinstance(patient, str) else told

    async def _status(self, question: Question) -> Answer:
        """The hub's state; who lags is told to a person, not to a program that only looks at the hub."""
        answer = {"running": self.running, **status_json(self.watched, await self.store.stats())}
        answer["needs_person"] += await self._lasting()
        if visits := len(self.registry.open_visits()):
            answer["needs_person"].append(
                f"{visits} setup visits are under way, and meanwhile no reading of their devices counts; "
                "complete them with `vitals-gateway setup --resume`, or end them with --abandon --why."
            )
        if not question.get("operator"):
            return answer
        now_ms = self.watched.clock.now().utc_ms
        await self.tally.catch_up(now_ms)
        answer["patients"] = [found.as_json() for found in self.tally.progress(now_ms)]
        return await self._logged("status", EVERYONE, question, answer) if answer["patients"] else answer

    async def _lasting(self) -> list[str]:
        """What has lasted, and that no daemon runs: what a look at this moment does not tell."""
        events = (entry.record for entry in await self.store.events(PREFIX))
        found = lasting(Troubles.from_events(events).open, self.watched.links, self.watched.clock.now().utc_ms)
        return found if self.running else [NOT_RUNNING, *found]

    async def _days(self, question: Question) -> Answer:
        answer = await self._files().days(question, self.watched.clock.now().utc_ms)
        return await self._logged("days", answer["patient"], question, answer)

    async def _evidence(self, question: Question) -> Answer:
        """The packet; the look is logged first, so that the packet's own access log tells of it."""
        from gateway.evidence.answers import packet_answer

        files, now_ms = self._files(), self.watched.clock.now().utc_ms
        answer = await self._logged("evidence", files.known(question, now_ms), question, {})
        return answer | await packet_answer(files, question, now_ms, self.watched.hub, self.sign_key)

    def _files(self) -> "Files":
        from gateway.evidence.answers import Files

        return Files(self.store, self.registry, self.uploads)

    async def _logged(self, what: str, patient: str, question: Question, answer: Answer) -> Answer:
        """The answer, once the access is on the ledger; a full store must not keep anyone from reading."""
        who = question.get("operator") or question.get("by")
        try:
            await self.store.append([access_draft(who, what, patient, self.watched.clock.now().utc_ms)])
        except StoreFull:
            return {**answer, "not_logged": "The store is full, so this look is not in the access log."}
        return answer

    async def _queue(self, _question: Question) -> Answer:
        stats = await self.store.stats()
        entries = [*await self.store.refused(_LISTED_MAX), *await self.store.waiting(_LISTED_MAX)]
        return {
            "records": {state.value: count for state, count in stats.records.items()},
            "queue": [_row(entry) for entry in entries],
        }

    async def _show(self, question: Question) -> Answer:
        entry = await self._found(str(question.get("id")))
        answer = {**_row(entry), "record": entry.record}
        patient = entry.record.get("patient")
        return await self._logged("queue.show", patient, question, answer) if patient else answer

    async def _retry(self, question: Question) -> Answer:
        entry = await self._found(str(question.get("id")))
        if not await self.store.retry(entry.record_id):
            raise BadInput("That record is not refused, so there is nothing to send again.")
        return {"record_id": entry.record_id, "state": "waiting"}

    async def _found(self, text: str) -> Entry:
        """The record of an id, or of the way an id in the queue begins."""
        entry = await self.store.record(text)
        if entry is not None:
            return entry
        listed = [*await self.store.refused(_LISTED_MAX), *await self.store.waiting(_LISTED_MAX)]
        close = [entry for entry in listed if text and entry.record_id.startswith(text)]
        if len(close) != 1:
            raise BadInput(
                f"{len(close) or 'No'} records have an id that begins so; `vitals-gateway queue` lists them."
            )
        return close[0]

    async def _enter(self, question: Question) -> Answer:
        now = self.watched.clock.now()
        zone = self.registry.zone_of(str(question.get("patient")), now.utc_ms) or self.place.zone
        draft = typed_reading(question, now, zone, self.place.site)
        log = access_draft(question.get("operator"), "enter", draft.body["patient"], draft.received_ms)
        await self.store.append([draft, log])
        said = "Kept as a manual entry: it is shown and uploaded, and it does not count as a day of data."
        return {"record_id": draft.record_id, "capture": draft.body["capture"], "said": said}

    async def _replay(self, question: Question) -> Answer:
        arrival = arrival_of(question, self.watched.clock.now(), self.intake.driver_named)
        tally = await self.intake.keep([arrival])
        return {"kept": tally.kept, "known": tally.known, "refused": tally.refused}

    def _at_visit(self, name: str) -> Callable[[Question], Awaitable[Answer]] | None:
        """A question about a technician's visit; the first one brings in what visits need."""
        if self._visits is None:
            from gateway.setup.visits import Visits

            watched = self.watched
            self._visits = Visits(self.store, self.registry, watched.clock, watched.hub, watched.links)
        return self._visits.questions().get(name)

    async def _act(self, question: Question) -> Answer:
        """A person's act on the registry: checked, kept, and only then applied to the view."""
        now = self.watched.clock.now()
        told = self.intake.last.identity(str(question.get("device")))
        made = acts(question, self.registry, now.utc_ms, str(self.place.zone), told)
        drafts = [act_draft(type_, body, now.utc_ms) for type_, body, _ in made]
        patients = sorted({body["patient"] for _, body, _ in made if body.get("patient")})
        what = str(question["do"])
        log = [access_draft(question.get("by"), what, patient, now.utc_ms) for patient in patients]
        await self.store.append([*drafts, *log])
        for draft in drafts:
            self.registry.apply({"type": draft.type, **draft.body})
        return {"records": [draft.record_id for draft in drafts], "said": made[-1][2]}


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "record_id": entry.record_id,
        "seq": entry.seq,
        "type": entry.type,
        "state": entry.state.value,
        "received_at": utc_text(entry.received_ms),
        "reason": entry.reason,
    }
