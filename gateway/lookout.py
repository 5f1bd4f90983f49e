"""
The daemon's look at itself, once a minute: technical issues on the ledger, and once an hour who lags behind.

A look costs no write. What it finds is kept as events, named by their content, so that a restart adds nothing. Where
the store is full the same is found at the next look.
"""

import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import structlog

from buffer.store import Store
from gateway.core.batch import State
from gateway.core.errors import StoreBroken, StoreFull
from gateway.core.link import LinkState
from gateway.core.reading import Draft
from gateway.core.record import canonical
from gateway.core.time import Clock, Instant, utc_text
from gateway.tally import Progress, Tally
from gateway.troubles import PREFIX, Seen, Troubles, hub_was_off

AT_RISK = "days.at_risk"
_TURN_S = 60.0
_HOUR_S = 3600.0
_LEAST_OFF_S = 600.0
_UNREADABLE = "A page of the store cannot be read; check the disk with `vitals-gateway doctor`."

_log = structlog.get_logger()


@dataclass(slots=True)
class SignOfLife:
    """
    A file beside the store that is touched once an hour and at the end.

    More often would be kinder to the record and harder on the card. After a power cut the daemon is said to have been
    off since the last sign; after a crash in the same boot nothing is said where the sign is too old to tell.
    """

    path: Path

    def read(self) -> tuple[int, str, bool] | None:
        """When it was left (UTC milliseconds), in which boot, and whether the daemon ended well."""
        try:
            boot_id, _, how = self.path.read_text("ascii").strip().partition(" ")
            return int(self.path.stat().st_mtime * 1000), boot_id, how == "stopped"
        except (OSError, ValueError):
            return None

    def leave(self, now: Instant, how: str) -> None:
        """Leave it; a disk that takes none shows soon enough elsewhere."""
        with contextlib.suppress(OSError):
            self.path.write_text(f"{now.boot_id} {how}\n", "ascii")
            self.path.chmod(0o600)
            os.utime(self.path, (now.utc_ms / 1000, now.utc_ms / 1000))

    def gap(self, now: Instant) -> list[Draft]:
        """The events of the time in which the daemon did not run, if it was long enough to be known."""
        found = self.read()
        if found is None:
            return []
        left_ms, boot_id, ended_well = found
        least_s = _LEAST_OFF_S if ended_well or boot_id != now.boot_id else _LEAST_OFF_S + _HOUR_S
        return hub_was_off(left_ms, now.utc_ms) if now.utc_ms - left_ms >= least_s * 1000 else []


@dataclass(slots=True)
class Lookout:
    """Looks, for the daemon's life."""

    store: Store
    clock: Clock
    links: Sequence[LinkState]
    tally: Tally
    sign: SignOfLife
    troubles: Troubles = field(default_factory=Troubles)

    async def run(self) -> None:
        """Look every minute; the first look comes after a minute, when the daemon has found its feet."""
        await self._sees(self.begin)
        try:
            since_s = 0.0
            while True:
                await self.clock.sleep(_TURN_S)
                since_s += _TURN_S
                sees = await self._sees(self.look)
                if since_s >= _HOUR_S:
                    since_s = 0.0
                    self.sign.leave(self.clock.now(), "running")
                    if sees:  # days that cannot be read must not be called lost
                        await self._sees(self.look_at_days)
        finally:
            self.sign.leave(self.clock.now(), "stopped")

    async def _sees(self, look: Callable[[], Awaitable[None]]) -> bool:
        """
        Look, and say whether the ledger could be read.

        A damaged page is told to a person and ends nothing: what comes in is kept all the same, and whoever writes
        finds out for itself that the store can be written no more.
        """
        try:
            await look()
        except StoreBroken as error:
            self.store.damage = self.store.damage or _UNREADABLE
            _log.error("lookout.unreadable", error=error)
            return False
        return True

    async def begin(self) -> None:
        """Take up what the ledger says is open, and tell how long the daemon was off."""
        now = self.clock.now()
        self.troubles = Troubles.from_events(entry.record for entry in await self.store.events(PREFIX))
        await self._keep(self.sign.gap(now))
        self.sign.leave(now, "running")

    async def look(self) -> None:
        """Find what began and what ended."""
        now = self.clock.now()
        await self.tally.catch_up(now.utc_ms)
        refused = (await self.store.stats()).records.get(State.REFUSED, 0)
        seen = Seen(self.links, refused, now.synchronised, self.tally.worn(now.utc_ms))
        drafts = self.troubles.look(seen, now.utc_ms, self.clock.monotonic_s())
        if await self._keep(drafts):
            for draft in drafts:
                self.troubles.apply(draft.body)

    async def look_at_days(self) -> None:
        """Tell the backend who will miss the threshold at the present pace: once for each check day of a period."""
        now_ms = self.clock.now().utc_ms
        lags = [each for each in self.tally.progress(now_ms) if each.hoped.at_risk]
        await self._keep([_lag(each, now_ms) for each in lags])

    async def _keep(self, drafts: Sequence[Draft]) -> bool:
        if not drafts:
            return True
        try:
            await self.store.append(drafts)
        except StoreFull:
            return False
        return True


def _lag(found: Progress, now_ms: int) -> Draft:
    pace, running = found.hoped, found.period
    named = {
        "name": AT_RISK,
        "patient": found.enrolment.patient,
        "program": found.enrolment.program.value,
        "period": {"number": running.number, "start": running.start.isoformat(), "end": running.end.isoformat()},
        "check_day": pace.checkpoint,
    }
    body = {
        **named,
        "rules": found.rules.name,
        "days": found.days + found.waiting,
        "possible": pace.possible,
        "needed": pace.needed,
        "needed_per_week": pace.needed_per_week,
        "why": pace.why,
        "at": utc_text(now_ms),
    }
    return Draft(sha256(canonical(named)).hexdigest(), "event", body, now_ms)
