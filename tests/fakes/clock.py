"""
A clock that jumps: time passes when the test says, so no test waits.

    clock = FakeClock()               sleep() waits until jump() has moved time far enough
    clock = FakeClock(jumps=True)     sleep() moves time itself and returns after one turn of the loop
"""

import asyncio

from gateway.core.time import Instant

START_MS = 1_795_269_603_120  # 2026-11-21T14:00:03.120Z


class FakeClock:
    """
    Keeps the promises of gateway.core.time.Clock.

    `slept` lists every delay asked for, in order, in seconds. `step_wall` sets the wall clock without moving monotonic
    time, as NTP or a person does; `reboot` starts monotonic time again under a new boot id.
    """

    def __init__(self, utc_ms: int = START_MS, *, synchronised: bool = True, jumps: bool = False) -> None:
        self.synchronised = synchronised
        self.jumps = jumps
        self.boot_id = "boot-1"
        self.slept: list[float] = []
        self._wall_ms = utc_ms
        self._monotonic_ns = 1_000_000_000
        self._boots = 1
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []
        self._asked = asyncio.Event()

    def now(self) -> Instant:
        """The hub's time, as the test set it."""
        return Instant(self._wall_ms, self._monotonic_ns, self.boot_id, self.synchronised)

    def monotonic_s(self) -> float:
        """Seconds since the test began, and one."""
        return self._monotonic_ns / 1_000_000_000

    async def sleep(self, delay_s: float) -> None:
        """Wait until the test has moved time on by `delay_s`; at once where this clock jumps by itself."""
        self.slept.append(delay_s)
        self._asked.set()
        if self.jumps or delay_s <= 0:
            self.jump(max(delay_s, 0.0))
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleeper = (self._monotonic_ns + round(delay_s * 1_000_000_000), waiter)
        self._sleepers.append(sleeper)
        try:
            await waiter
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def jump(self, delay_s: float) -> None:
        """Move both clocks on and wake who has slept long enough, earliest first."""
        self._monotonic_ns += round(delay_s * 1_000_000_000)
        self._wall_ms += round(delay_s * 1000)
        for due_ns, waiter in sorted(self._sleepers, key=lambda sleeper: sleeper[0]):
            if due_ns <= self._monotonic_ns and not waiter.done():
                waiter.set_result(None)

    def step_wall(self, delta_s: float) -> None:
        """Set the wall clock forward or back; monotonic time stays."""
        self._wall_ms += round(delta_s * 1000)

    def reboot(self) -> None:
        """Start monotonic time again under a new boot id."""
        self._boots += 1
        self.boot_id = f"boot-{self._boots}"
        self._monotonic_ns = 0

    @property
    def sleepers(self) -> int:
        """How many wait now."""
        return sum(not waiter.done() for _, waiter in self._sleepers)

    async def asleep(self, count: int = 1) -> None:
        """Wait until `count` tasks sleep on this clock, so that a jump reaches them."""
        while self.sleepers < count:
            self._asked.clear()
            await self._asked.wait()
            await asyncio.sleep(0)  # asked is set just before the sleeper joins the list
