"""The fake clock keeps the promises of the Clock protocol, and jumps."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.clock import HubClock
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.time import Clock


@pytest.mark.parametrize("make", [HubClock, lambda: FakeClock(jumps=True)], ids=["machine", "fake"])
def test_every_clock_keeps_the_contract(make: "Callable[[], Clock]") -> None:
    async def run() -> None:
        clock = make()
        before, before_s = clock.now(), clock.monotonic_s()
        await clock.sleep(0.002)
        after, after_s = clock.now(), clock.monotonic_s()
        assert after_s - before_s >= 0.001
        assert after.monotonic_ns > before.monotonic_ns
        assert (after.boot_id, after.synchronised) == (before.boot_id, before.synchronised)
        assert before.boot_id
        await clock.sleep(0)
        sleeping = asyncio.ensure_future(clock.sleep(3600))
        sleeping.cancel()
        assert isinstance((await asyncio.gather(sleeping, return_exceptions=True))[0], asyncio.CancelledError)

    asyncio.run(run())


def test_the_fake_begins_at_a_known_time() -> None:
    assert FakeClock().now().text == "2026-11-21T14:00:03.120Z"


def test_sleep_ends_when_the_test_says() -> None:
    async def run() -> list[str]:
        clock, woken = FakeClock(), list[str]()

        async def wait(name: str, delay_s: float) -> None:
            await clock.sleep(delay_s)
            woken.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(wait("late", 20.0))
            early = group.create_task(wait("early", 10.0))
            await clock.asleep(2)
            clock.jump(10.0)
            await early
            assert woken == ["early"]
            clock.jump(10.0)
        return woken

    assert asyncio.run(run()) == ["early", "late"]


def test_a_jumping_clock_moves_itself() -> None:
    async def run() -> FakeClock:
        clock = FakeClock(jumps=True)
        await clock.sleep(3600.0)
        return clock

    clock = asyncio.run(run())
    assert clock.slept == [3600.0]
    assert clock.monotonic_s() == 3601.0


def test_a_wall_step_leaves_monotonic_time_alone() -> None:
    clock = FakeClock()
    before = clock.now()
    clock.step_wall(-86_400.0)
    assert clock.now().utc_ms == before.utc_ms - 86_400_000
    assert clock.now().monotonic_ns == before.monotonic_ns


def test_a_cancelled_sleeper_is_forgotten() -> None:
    async def run() -> int:
        clock = FakeClock()
        task = asyncio.create_task(clock.sleep(5.0))
        await clock.asleep()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return clock.sleepers

    assert asyncio.run(run()) == 0


def test_a_reboot_starts_monotonic_time_again() -> None:
    clock = FakeClock()
    clock.reboot()
    assert (clock.boot_id, clock.monotonic_s()) == ("boot-2", 0.0)
