"""Supervision: what mends itself is run again, what a person must mend waits, a bug leaves."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadCredentials, LinkLost, StoreBroken, StoreFull
from gateway.core.link import LinkState
from gateway.supervise import delay_s, keep_running
from tests.fakes.clock import FakeClock


class Script:
    """A road that fails as told, then ends."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)


def supervised(script: Script) -> tuple[LinkState, FakeClock]:
    async def run() -> tuple[LinkState, FakeClock]:
        link, clock = LinkState("cell", "mqtt"), FakeClock(jumps=True)
        await keep_running(script, link, clock, lambda: 1.0)
        return link, clock

    return asyncio.run(run())


def test_a_lost_link_is_opened_again() -> None:
    script = Script(LinkLost("The broker went away."), StoreFull("No room."))
    link, _ = supervised(script)
    assert script.runs == 3
    assert link.why == "No room."


def test_a_refusal_asks_for_a_person_and_knocks_slowly() -> None:
    link, clock = supervised(Script(BadCredentials("The password is refused; correct it.")))
    assert link.needs_person
    assert clock.monotonic_s() >= 60


@pytest.mark.parametrize("error", [StoreBroken("gone"), ZeroDivisionError()])
def test_what_cannot_mend_itself_leaves(error: Exception) -> None:
    with pytest.raises(type(error)):
        supervised(Script(error))


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_delay_is_never_longer_than_a_minute(failures: int, jitter: float) -> None:
    assert 0 <= delay_s(failures, jitter) <= 60
