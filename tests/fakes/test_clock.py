"""The fake clock keeps the promises of the Clock protocol, and jumps."""

import asyncio
from typing import TYPE_CHECKING

from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from gateway.core.time import Clock


def test_is_a_clock() -> None:
    clock: Clock = FakeClock()
    assert clock.now().text == "2026-11-21T14:00:03.120Z"


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
