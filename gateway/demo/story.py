"""What happens in the demo, step by step."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drivers.virtual.cellular import Message
from gateway.control import asked
from gateway.core.errors import NotThere
from gateway.core.time import Clock
from gateway.demo.plan import ANN, DEVICES, SOURCE, Day, expected_days, first_morning, plan
from gateway.demo.publisher import publish
from gateway.demo.town import Town, founded
from gateway.demo.verdict import Check, checks, records_of

Say = Callable[[str], None]
Stay = Callable[["Outcome", str], Awaitable[None]]

_NONSENSE = (b"{", b'{"id": "no measure"}', b"\xff\xfe not JSON", b'{"measure": NaN}')
_DRAINED_S = 60.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo ends with."""

    checks: list[Check]
    records: list[dict[str, Any]]

    @property
    def holds(self) -> bool:
        """Whether every check does."""
        return all(check.holds for check in self.checks)


async def play(days: int, clock: Clock, say: Say, stay: Stay | None = None) -> Outcome:
    """
    Play the whole story in a temporary folder; every process has ended when this returns.

    `stay` is given the outcome and the backend's address before they do.
    """
    with tempfile.TemporaryDirectory(prefix="vitals-demo-") as folder:
        async with founded(Path(folder), clock) as town:
            outcome = await _play(town, days, say)
            if stay:
                await stay(outcome, town.backend_url)
            return outcome


async def _play(town: Town, days: int, say: Say) -> Outcome:
    now = datetime.fromtimestamp(town.clock.now().utc_ms / 1000, UTC)
    schedule = plan(days, now)
    third = max(1, days // 3)
    await _open(town, days, now, say)
    sent = await _quiet_days(town, schedule[:third], say)
    sent += await _outage(town, schedule[third : 2 * third], say)
    await _resend_storm(town, sent, say)
    await _nonsense(town, say)
    sent += await _last_days(town, schedule[2 * third :], say)
    await _drained(town, say)
    records = records_of(town.folder / "backend.db")
    return Outcome(checks(records, sent, len(_NONSENSE), expected_days(days)), records)


async def _open(town: Town, days: int, now: datetime, say: Say) -> None:
    say("starting a broker, the reference backend and the gateway, each a process of its own")
    await asyncio.gather(town.start_broker(), town.start_backend())
    await town.start_daemon()
    start = first_morning(days, now).isoformat()
    why = {"from": start, "why": "demonstration: the days before today are played now", "by": "demo"}
    for patient in dict.fromkeys(DEVICES.values()):
        await _ask(town, {"do": "enrol", "patient": patient, **why})
    for device, patient in DEVICES.items():
        document = {"status": "device_201h", "source": SOURCE}
        await _ask(town, {"do": "assign", "device": device, "patient": patient, **why, **document})
    say(f"two patients enrolled, {len(DEVICES)} devices assigned, from {start}")


async def _quiet_days(town: Town, days: list[Day], say: Say) -> list[Message]:
    sent = _messages(days)
    await publish(town.mqtt_port, sent)
    say(f"{len(sent)} readings of {len(days)} quiet days published")
    return sent


async def _outage(town: Town, days: list[Day], say: Say) -> list[Message]:
    await town.stop("backend", kill=True)
    say("the backend is gone: readings wait on the hub")
    sent = _messages(days)
    half = len(sent) // 2
    await publish(town.mqtt_port, sent[:half])
    await town.stop("daemon", kill=True)
    await publish(town.mqtt_port, sent[half:])
    say(f"the gateway was killed (SIGKILL) while {len(sent)} readings of {len(days)} days came in; starting it again")
    await town.start_daemon()
    return sent


async def _resend_storm(town: Town, sent: list[Message], say: Say) -> None:
    await publish(town.mqtt_port, sent * 3)
    say(f"a vendor sends all {len(sent)} readings three times more")


async def _nonsense(town: Town, say: Say) -> None:
    await publish(town.mqtt_port, [Message("stel/virtual", payload) for payload in _NONSENSE])
    await _ask(town, {"do": "enter", "patient": ANN, "values": ["systolic=120", "diastolic=80"], "by": "staff"})
    say(f"{len(_NONSENSE)} messages no driver can read, and one value typed by a person")


async def _last_days(town: Town, days: list[Day], say: Say) -> list[Message]:
    await town.start_backend()
    say("the backend is back")
    sent = _messages(days)
    await publish(town.mqtt_port, sent)
    say(f"{len(sent)} readings of the last {len(days)} days published")
    return sent


async def _drained(town: Town, say: Say) -> None:
    """Return once nothing waits and nothing new came for two looks."""
    before, waited_s = -1, 0.0
    while waited_s < _DRAINED_S:
        status = await _ask(town, {"do": "status"})
        counts, newest = status["buffer"]["records"], status["buffer"]["newest_seq"]
        if not counts.get("waiting") and not counts.get("batched") and newest == before:
            say(f"{counts.get('accepted', 0)} records accepted by the backend")
            return
        # two looks a redelivery apart: the broker sends again after a second what was not acknowledged
        before, pause_s = newest, 1.5 if newest == before or before < 0 else _LOOK_S
        await town.clock.sleep(pause_s)
        waited_s += pause_s
    say("the backend did not accept everything in time")


async def _ask(town: Town, question: dict[str, Any]) -> dict[str, Any]:
    answer = await asked(town.folder / "buffer.db", question)
    if answer is None:
        raise NotThere("The demo's gateway ended before its time; run the demo again.")
    return answer


def _messages(days: list[Day]) -> list[Message]:
    return [message for day in days for message in day.messages]
