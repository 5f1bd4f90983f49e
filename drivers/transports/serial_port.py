"""
Serial ports: from a device's bytes to `keep`.

`listen` is the life of one opened port. It waits for the port to appear, reads until it goes, and then ends by raising
LinkLost; the caller starts it again (`gateway.supervise`). Refused where a person must act. A device on a cable sends
once and holds nothing for us: what is not durable when the hub loses power is lost, but for meters, which are asked
again.

Bytes are cut into frames as they come (`serial_inlet`), given a session's name and clock (`serial_session`), and handed
to `keep` in groups, one at a time. Nothing is written to a device but what its driver lists (`SerialLine.asks`), and
that only where `ask = true`: a message that releases a record in the device's memory is never sent.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Awaitable, Sequence

from drivers.contract import Driver, Keep
from drivers.framing import SerialLine
from drivers.transports.serial_dialogue import Dialogue
from drivers.transports.serial_inlet import Inlet
from drivers.transports.serial_options import SerialOptions
from drivers.transports.serial_presence import appears, is_there
from drivers.transports.serial_session import Count, Session
from gateway.core.errors import GatewayError, LinkLost, Remedy, StoreFull, remedy_of
from gateway.core.link import LinkState
from gateway.core.reading import Arrival
from gateway.core.time import Clock

# A full store may have room again: the first pause, and the longest.
_FULL_S = (1.0, 60.0)
_SETTLE_S = 1.0  # udev gives a port its rights just after its name

_ABSENT = "Nothing is plugged in at this source's port; plug the cable in, or correct port."
_DEAF = "The port takes nothing that is sent; plug the cable in again."
_UNSTABLE = "This port's name changes with the order of plugging; name it by its path in /dev/serial/by-id."
_NUMBERED = re.compile(r"/dev/tty(USB|ACM)\d+")


async def listen(
    options: SerialOptions, driver: Driver, keep: Keep, clock: Clock, link: LinkState, count: Count
) -> None:
    """
    Keep what the device sends, until it is unplugged or we are cancelled.

    Raises LinkLost, Refused, or what `keep` raises and no later try can mend (StoreBroken).
    """
    from drivers.transports.serial_tty import opened  # pyserial, only where a port is configured

    line = driver.lines[options.source]
    try:
        if not is_there(options.port):
            link.down(_ABSENT)
            await appears(options.port)
            await clock.sleep(_SETTLE_S)
        with opened(options, line) as fd:
            inlet = Inlet(fd, line, Session(options, driver, count), clock, link, count)
            inlet.note = _UNSTABLE if _NUMBERED.fullmatch(str(options.port)) else None
            await _serve(inlet, [_asking(fd, line, inlet, clock)] if options.ask else [], keep, clock)
    except GatewayError as error:
        link.down(str(error), needs_person=remedy_of(error) is Remedy.HOLD)
        raise


async def _serve(inlet: Inlet, more: Sequence[Awaitable[None]], keep: Keep, clock: Clock) -> None:
    """Keep groups until the port is gone; what came before is kept first."""
    steady = [asyncio.ensure_future(one) for one in (inlet.watch_silence(), *more)]
    for task in steady:
        task.add_done_callback(lambda done: _ended(done, inlet))
    inlet.open()
    try:
        while True:
            await _kept(await inlet.group(), inlet, keep, clock)
    except asyncio.CancelledError:
        if rest := inlet.rest():
            with contextlib.suppress(GatewayError):
                await keep(rest)
        raise
    finally:
        inlet.close()
        for task in steady:
            task.cancel()
        await asyncio.gather(*steady, return_exceptions=True)


def _ended(task: "asyncio.Future[None]", inlet: Inlet) -> None:
    """A task beside the reading that ends by itself has met a bug: whoever waits for a group raises it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        inlet.fail(error)


async def _kept(group: Sequence[Arrival], inlet: Inlet, keep: Keep, clock: Clock) -> None:
    """Keep a group; a full store is tried until it has room, and what comes meanwhile waits within its limit."""
    pause_s, longest_s = _FULL_S
    while True:
        try:
            await _whole(keep(group))
        except StoreFull as error:
            inlet.full(str(error))
            await clock.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)
        else:
            inlet.kept()
            return


async def _whole(keeping: Awaitable[object]) -> None:
    """Wait for `keep` to its end, also where we are cancelled: what was begun is kept."""
    task = asyncio.ensure_future(keeping)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(GatewayError):
            await task
        raise


async def _asking(fd: int, line: SerialLine, inlet: Inlet, clock: Clock) -> None:
    """Say what the driver lists, when the dialogue says so."""
    dialogue = Dialogue(line)
    while True:
        words, wait_s = dialogue.turn(clock.monotonic_s(), inlet.quiet_s, inlet.frames, has_clock=inlet.has_clock)
        if words and not _sent(fd, words):
            inlet.fail(LinkLost(_DEAF))
        await clock.sleep(wait_s)


def _sent(fd: int, words: bytes) -> bool:
    try:
        return os.write(fd, words) == len(words)
    except OSError:
        return False
