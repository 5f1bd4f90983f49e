"""Which episode, period and rules a question means; one plain sentence where it means none."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.core.errors import BadInput
from gateway.core.period import Period, number_at, period
from gateway.core.roster import Enrolment, Roster
from gateway.core.rules import Program, Rules

_PERIOD_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for; None takes the usual: the running program, its last episode, its last period."""

    patient: str
    program: str | None = None
    episode: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """One period of one episode; `episode` counts the episodes of its program from 1."""

    enrolment: Enrolment
    episode: int
    rules: Rules
    zone: ZoneInfo
    period: Period


def scope_of(asked: Asked, roster: Roster, profiles: Mapping[str, Rules], now_ms: int) -> Scope:
    """The scope a question means; raises BadInput."""
    enrolment, episode = _episode(asked, roster)
    rules = profiles.get(enrolment.rules)
    if rules is None:
        raise BadInput(
            f"The enrolment names the rule profile {enrolment.rules}, unknown here; install the version that has it."
        )
    zone = ZoneInfo(enrolment.timezone)
    if enrolment.start_ms > now_ms:
        raise BadInput("The service has not begun yet; ask again once its start has come.")
    return Scope(enrolment, episode, rules, zone, _period(asked, enrolment, rules, zone, now_ms))


def _episode(asked: Asked, roster: Roster) -> tuple[Enrolment, int]:
    program = _program(asked.program)
    found = [each for each in roster.enrolments(asked.patient) if program in (None, each.program)]
    if not found:
        raise BadInput(
            "No patient of that reference is enrolled here; `vitals-gateway enrol` begins an enrolment."
            if not roster.enrolments(asked.patient)
            else f"The patient is not enrolled in {program}; leave --program out, or enrol them in it."
        )
    chosen = program or _usual(found)
    episodes = [each for each in found if each.program is chosen]
    number = len(episodes) if asked.episode is None else asked.episode
    if not 1 <= number <= len(episodes):
        raise BadInput(f"The patient has {len(episodes)} episodes in {chosen}; give --episode from 1 to that.")
    return episodes[number - 1], number


def _usual(found: list[Enrolment]) -> Program:
    """The program that runs; where both or none do, the one begun last."""
    running = [each for each in found if each.end_ms is None] or found
    return running[-1].program


def _program(text: str | None) -> Program | None:
    if text is None:
        return None
    try:
        return Program(text)
    except ValueError as error:
        raise BadInput("A program is RPM or RTM.") from error


def _period(asked: Asked, enrolment: Enrolment, rules: Rules, zone: ZoneInfo, now_ms: int) -> Period:
    until_ms = now_ms if enrolment.end_ms is None else min(now_ms, enrolment.end_ms)
    last = number_at(until_ms, enrolment.start_ms, zone, rules.period_days)
    number = last if asked.number is None else asked.number
    if not 1 <= number <= _PERIOD_MAX:
        raise BadInput("Periods are counted from 1; give --period 1 for the first.")
    if number > last:
        begins = period(number, enrolment.start_ms, zone, rules.period_days).start
        why = "has not begun yet" if enrolment.end_ms is None else "lies after the end of the service"
        raise BadInput(f"Period {number} ({begins} on) {why}; the last that can be asked for is {last}.")
    return period(number, enrolment.start_ms, zone, rules.period_days)
