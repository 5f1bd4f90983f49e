"""Keep a road open: again after what mends itself, slowly after what a person must mend, never after a bug."""

from collections.abc import Awaitable, Callable

import structlog

from gateway.core.errors import GatewayError, Remedy, remedy_of
from gateway.core.link import LinkState
from gateway.core.time import Clock

_FIRST_S = 1.0  # a broker that restarts is back within seconds
_LONGEST_S = 60.0  # a hub whose network returns must not wait long: a patient may stand on the scale
_HELD_S = 60.0  # a refused password does not mend itself: knock once a minute, never lock the account
_STABLE_S = 30.0  # a link that held this long starts its back-off anew

log = structlog.get_logger()


def delay_s(failures: int, jitter: float) -> float:
    """Full-jitter exponential back-off: anything up to 1, 2, 4 ... 60 s; `jitter` is 0 to 1."""
    return min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures - 1, 16)) * jitter


async def keep_running(
    run: Callable[[], Awaitable[None]], link: LinkState, clock: Clock, jitter: Callable[[], float]
) -> None:
    """
    Run `run` again and again.

    RETRY backs off, HOLD waits longest and asks for a person; STOP and whatever is not ours leaves, so that systemd
    starts the daemon afresh.
    """
    failures, told = 0, ""
    while True:
        started_s = clock.monotonic_s()
        try:
            return await run()
        except GatewayError as error:
            remedy = remedy_of(error)
            if remedy not in (Remedy.RETRY, Remedy.HOLD):
                raise
            why = str(error)
            if why != told:  # once for each reason: a hub may be offline for weeks
                log.warning("source.down", source=link.name, error=error, remedy=remedy.name)
            told = why
            link.down(why, needs_person=remedy is Remedy.HOLD)
        stable = clock.monotonic_s() - started_s > _STABLE_S
        failures = 1 if stable else failures + 1
        await clock.sleep(_HELD_S if link.needs_person else delay_s(failures, jitter()))
