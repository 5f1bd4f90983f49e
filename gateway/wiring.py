"""
The only module that constructs.

Read it top to bottom: it is the architecture, and its indentation is the order of shutdown, innermost first. Sources
end, then the uploader, then the writer drains and closes.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog

from buffer.store import Store, open_store
from config.load import Options
from config.rules import profiles, rules_in_force
from drivers import registry as drivers
from drivers.transports.mqtt_options import MqttOptions
from drivers.transports.serial_options import SerialOptions
from drivers.transports.webhook_options import WebhookOptions, by_address
from gateway import __version__, control, pages
from gateway.clock import HubClock
from gateway.core.errors import StoreBroken, StoreFull
from gateway.core.link import LinkState
from gateway.core.record import canonical
from gateway.core.time import Clock
from gateway.desk import Desk
from gateway.health import Watched, lifeless, metrics_text, notify, one_line, watchdog_interval_s
from gateway.intake import Intake, Place
from gateway.lean import give_back, share_heaps
from gateway.lookout import Lookout, SignOfLife
from gateway.metrics import Counts
from gateway.qualification import qualifier
from gateway.registry import LEDGER_TYPES, Registry
from gateway.supervise import keep_running
from gateway.tally import Tally
from uploader.counts import UploadCounts
from uploader.options import UploadOptions

# READY does not wait longer than this for a source that hangs in its first attempt.
_SETTLE_S = 15.0
# Retention looks once an hour; it deletes only what the backend accepted.
_PURGE_S = 3600.0
_LEDGER_UNREADABLE = (
    "Who wears which device cannot be read from the damaged store: readings are kept and belong to nobody; "
    "keep this hub's store for salvage and set up a new one."
)
# By then the first upload has brought in what it needs (httpcore, some 6 MiB and as much again of waste).
_WARM_S = 10.0

log = structlog.get_logger()


async def serve(options: Options, clock: Clock) -> None:
    """Run the daemon until cancelled."""
    share_heaps()
    notify("STATUS=Opening the store")
    async with open_store(options.buffer, clock, apart=True) as store:
        desk = await _desk(options, store, clock, running=True)
        sources = list(zip(options.mqtt, desk.watched.links, strict=False))
        hooks = dict(zip(options.webhooks, desk.watched.links[len(options.mqtt) :], strict=False))
        ports = list(zip(options.serial, (one for one in desk.watched.links if one.kind == "serial"), strict=True))
        async with AsyncExitStack() as doors:
            await doors.enter_async_context(control.listening(options.buffer.path, desk.ask))
            if options.metrics:
                await doors.enter_async_context(pages.serving(*options.metrics, partial(_metrics, desk)))
            async with asyncio.TaskGroup() as steady:
                steady.create_task(_retention(store, clock), name="retention")
                steady.create_task(_prove_life(desk, clock), name="health")
                steady.create_task(_look_out(options, desk, clock), name="lookout")
                if options.upload:
                    steady.create_task(_upload(options, options.upload, desk), name="uploader")
                async with asyncio.TaskGroup() as roads:
                    for source, link in sources:
                        roads.create_task(_listen(options, source, link, desk), name=source.name)
                    for group in by_address(options.webhooks):
                        links = [hooks[hook] for hook in group]
                        roads.create_task(_receive(group, links, desk), name=group[0].name)
                    for port, link in ports:
                        roads.create_task(_read_port(port, link, desk), name=port.name)
                    roads.create_task(_announce([link for _, link in (*sources, *hooks.items(), *ports)]), name="ready")


@asynccontextmanager
async def local_desk(options: Options) -> AsyncIterator[Desk]:
    """The desk on the store alone, for a command while no daemon runs; the store's lock keeps it the only one."""
    clock = HubClock()
    async with open_store(options.buffer, clock) as store:
        yield await _desk(options, store, clock, running=False)


async def _desk(options: Options, store: Store, clock: Clock, *, running: bool) -> Desk:
    registry = await _registry(store)
    place, counts = Place(options.hub.site, options.hub.zone), Counts()
    qualify = qualifier(registry, profiles(), rules_in_force(), options.hub.zone.key)
    intake = Intake(store.append, drivers.lookup(options.mapped), qualify, place, counts)
    links = [LinkState(source.name, "mqtt") for source in options.mqtt] if running else []
    links += [LinkState(hook.name, "webhook") for hook in options.webhooks] if running else []
    links += [LinkState(port.name, "serial") for port in options.serial] if running else []
    if options.upload and running:
        links.append(LinkState("upload", "upload"))
    watched = Watched(
        hub={"id": options.hub.id, "site": options.hub.site, "timezone": str(options.hub.zone)},
        clock=clock,
        links=links,
        last=intake.last,
        counts=counts,
        uploads=UploadCounts(),
        started_ms=clock.now().utc_ms,
    )
    tally = Tally(store, registry, profiles(), uploads=options.upload is not None)
    key = options.upload.sign_key if options.upload else None
    return Desk(store, registry, intake, watched, place, running, tally, options.upload is not None, key)


async def _registry(store: Store) -> Registry:
    """
    Who wears what, as the ledger says.

    Where a page of the ledger is damaged the hub captures all the same: readings are kept and belong to nobody, which
    is never wrong and can be mended, and a person is asked for.
    """
    try:
        return Registry.from_ledger(await store.ledger(LEDGER_TYPES))
    except StoreBroken:
        store.damage = store.damage or _LEDGER_UNREADABLE
        log.warning("registry.unreadable")
        return Registry()


async def _listen(options: Options, source: MqttOptions, link: LinkState, desk: Desk) -> None:
    """One MQTT source, for the daemon's life."""
    from drivers.transports import mqtt  # paho, only where a source needs it
    from drivers.transports.mqtt_memory import FilterFile

    clock = desk.watched.clock
    memory = FilterFile(options.buffer.path.with_name(f"{options.buffer.path.name}.{source.name}.filters"))
    listen = partial(mqtt.listen, source, desk.intake.keep, clock, link, memory)
    await keep_running(listen, link, clock, random.random)


async def _receive(hooks: Sequence[WebhookOptions], links: Sequence[LinkState], desk: Desk) -> None:
    """The webhooks of one address, for the daemon's life."""
    from drivers.transports import webhook  # h11 and ssl, only where a vendor posts

    def count(source: str, reason: str) -> None:
        desk.watched.counts.add("vitals_webhook_refused_total", source=source, reason=reason)

    clock = desk.watched.clock
    listen = partial(webhook.listen, hooks, desk.intake.keep, clock, links, count)
    await keep_running(listen, links[0], clock, random.random)


async def _read_port(port: SerialOptions, link: LinkState, desk: Desk) -> None:
    """One serial port, for the daemon's life."""
    from drivers.transports import serial_port  # pyserial, only where a port is configured

    def count(what: str, amount: int) -> None:
        desk.watched.counts.add(f"vitals_serial_{what}_total", amount, source=port.name)

    clock, driver = desk.watched.clock, desk.intake.driver_named(port.driver)
    listen = partial(serial_port.listen, port, driver, desk.intake.keep, clock, link, count)
    await keep_running(listen, link, clock, random.random)


async def _upload(options: Options, upload: UploadOptions, desk: Desk) -> None:
    """The one way out, for the daemon's life."""
    from uploader.client import Client  # httpx, only where something is sent
    from uploader.loop import Uploader

    watched = desk.watched
    hub = canonical({"id": options.hub.id, "site": options.hub.site, "software": f"vitals-gateway/{__version__}"})
    async with Client(upload, options.hub.id, watched.clock) as client:
        link = watched.links[-1]
        await Uploader(
            desk.store, client, upload, watched.clock, random.random, link, hub, counts=watched.uploads
        ).run()


async def _announce(links: Sequence[LinkState]) -> None:
    """READY once every source listens or has failed its first attempt: a hub that boots offline is ready too."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SETTLE_S), asyncio.TaskGroup() as waiting:
            for link in links:
                waiting.create_task(link.settled.wait())
    give_back()
    log.info("daemon.ready", version=__version__, count=len(links))
    notify(f"READY=1\nSTATUS={one_line(links)}")


async def _retention(store: Store, clock: Clock) -> None:
    await _purge(store)
    await clock.sleep(_WARM_S)
    give_back()
    while True:
        await clock.sleep(_PURGE_S)
        await _purge(store)


async def _purge(store: Store) -> None:
    """Deleting is writing too: a disk without room for it must not end the daemon; the next hour tries again."""
    try:
        await store.purge()
    except StoreFull:
        log.warning("store.not_purged", reason="full")


async def _prove_life(desk: Desk, clock: Clock) -> None:
    """Feed systemd's watchdog, and only after the store and every link gave a sign of life."""
    interval_s = watchdog_interval_s()
    while interval_s is not None:
        await clock.sleep(interval_s)
        await desk.store.prove()
        silent = lifeless(desk.watched.links, clock.monotonic_s())
        if silent is None:
            notify(f"WATCHDOG=1\nSTATUS={one_line(desk.watched.links)}")
        else:
            log.error("daemon.lifeless", source=silent)


async def _look_out(options: Options, desk: Desk, clock: Clock) -> None:
    sign = SignOfLife(options.buffer.path.with_name(f"{options.buffer.path.name}.alive"))
    await Lookout(desk.store, clock, desk.watched.links, desk.tally, sign).run()


async def _metrics(desk: Desk) -> str:
    return metrics_text(desk.watched, await desk.store.stats())
