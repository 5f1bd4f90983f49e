"""
MQTT: from a broker's PUBLISH to `keep`, and only then the PUBACK.

`listen` is the life of one connection. It ends by raising: LinkError where it may work again, Refused where a person
must act, and whatever `keep` raised; the caller starts it again after a pause (`gateway.supervise`). The session at the
broker (never clean, a fixed client id, QoS 1) holds what comes meanwhile, so nothing is lost between two lives, nor
when the process is killed: what was not acknowledged is sent again, marked DUP.

QoS 1 and no other. What is published with QoS 2 comes with QoS 1. What is published with QoS 0 is held by nobody: kept
like the rest once it is here, lost where the hub is away or its store is full.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Self

from drivers.contract import Keep
from drivers.registry import UNROUTED
from drivers.transports.mqtt_connection import Connection, Message, connected
from drivers.transports.mqtt_options import FilterMemory, MqttOptions, router
from gateway.core.errors import BadCredentials, GatewayError, Remedy, remedy_of
from gateway.core.link import LinkState
from gateway.core.reading import Arrival, Frame
from gateway.core.time import Clock

TRANSPORT = "mqtt"
# A connection begins with what the broker held: only after this long does a message count as measured just now.
PROMPT_AFTER_S = 60
# With this many unacknowledged at once the broker may be holding others back: mosquitto's window where the client sets
# none, the smallest among common brokers. From then on the same time has to pass again.
_WINDOW = 20
# What may wait here for the store before the rest is left to the broker. With one read of asyncio (256 KiB) and one
# packet (PACKET_BYTES_MAX) it bounds the memory of a source. Receive Maximum does not: MQTT 3.1.1 has none, it counts
# no bytes, and mosquitto 2.0.11 exceeds it when a session with a queue is resumed.
WAITING_BYTES_MAX = 4 * 1_048_576
# Messages kept in one transaction, as many as the store's own groups: a larger one would find no room in a small store
# that takes the same messages one after the other.
_GROUP_MAX = 500
_MESSAGE_COST_BYTES = 1024  # the objects around a payload
_FAILURE = 0x80  # reason codes from here on are refusals (MQTT 5, 2.4; MQTT 3.1.1, 3.9.3)


async def listen(
    options: MqttOptions, keep: Keep, clock: Clock, link: LinkState, memory: FilterMemory | None = None
) -> None:
    """
    Keep what the broker delivers, until cancelled.

    Raises LinkError, Refused, or what `keep` raises (StoreFull, StoreBroken): then the messages it was given are not
    acknowledged and come again.
    """
    inbox = _Inbox(options, clock, link, memory)
    try:
        async with connected(options, inbox) as (connection, session_present):
            inbox.begin(connection, session_present=session_present)
            async with _Lane(inbox, connection) as lane:
                while True:
                    messages, arrivals = await inbox.group()
                    await lane.follow(messages, keep(arrivals))
    except GatewayError as error:
        link.down(str(error), needs_person=remedy_of(error) is Remedy.HOLD)
        raise


class _Lane:
    """
    Two groups are on their way at most: one is decoded while the one before it is being committed.

    Acknowledgements leave in the order in which the messages came (MQTT 5, 4.6). Where a group cannot be kept, neither
    it nor any after it is acknowledged, and the connection ends with that error.
    """

    def __init__(self, inbox: "_Inbox", connection: Connection) -> None:
        self._inbox = inbox
        self._connection = connection
        self._last: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """What was begun is kept, also where the connection is gone; only the daemon's end cuts it short."""
        if self._last is not None:
            if kind is asyncio.CancelledError:
                self._last.cancel()
            await asyncio.gather(self._last, return_exceptions=True)

    async def follow(self, messages: Sequence[Message], keeping: Awaitable[object]) -> None:
        """Start to keep a group; returns once the group before it is kept and acknowledged."""
        before = self._last
        self._last = asyncio.create_task(self._kept(messages, keeping, before))
        self._last.add_done_callback(self._end_with)
        if before is not None:
            await before

    async def _kept(
        self, messages: Sequence[Message], keeping: Awaitable[object], before: "asyncio.Task[None] | None"
    ) -> None:
        await keeping
        if before is not None:
            await before
        self._inbox.kept(messages)

    def _end_with(self, task: "asyncio.Task[None]") -> None:
        """Let whoever waits for messages hear that the last group could not be kept."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._connection.fail(error)


class _Inbox:
    """
    What came over one connection and is not kept yet.

    What came while `keep` was busy is handed to it as one group, so the disk sets the pace.
    """

    def __init__(self, options: MqttOptions, clock: Clock, link: LinkState, memory: FilterMemory | None) -> None:
        self._options = options
        self._clock = clock
        self._link = link
        self._memory = memory
        self._driver_for = router(options.topics, UNROUTED.name)
        self._connection: Connection | None = None
        self._messages: list[Message] = []
        self._arrivals: list[Arrival] = []
        self._waiting_bytes = 0
        self._prompt_from_ns = clock.now().monotonic_ns + PROMPT_AFTER_S * 1_000_000_000

    def begin(self, connection: Connection, *, session_present: bool) -> None:
        """Set the broker's session right: subscribe to what is configured, and end what no longer is."""
        self._connection = connection
        wanted = frozenset(self._options.filters)
        held = self._memory.load() if self._memory and session_present else frozenset[str]()
        # saved before the broker hears of it: better a filter remembered in vain than one forgotten
        self._remember(held | wanted)
        connection.subscribe(self._options.filters, forget=sorted(held - wanted))

    async def group(self) -> tuple[list[Message], list[Arrival]]:
        """What waits, at least one message; raises why the connection ended."""
        connection = self._connection
        assert connection is not None  # noqa: S101 -- `begin` comes first
        while not self._messages:
            if connection.failure is not None:
                raise connection.failure
            connection.changed.clear()
            await connection.changed.wait()
        messages, self._messages = self._messages[:_GROUP_MAX], self._messages[_GROUP_MAX:]
        arrivals, self._arrivals = self._arrivals[:_GROUP_MAX], self._arrivals[_GROUP_MAX:]
        return messages, arrivals

    def kept(self, messages: Sequence[Message]) -> None:
        """Acknowledge what is durable."""
        assert self._connection is not None  # noqa: S101 -- `begin` comes first
        heard = self._clock.now()
        self._link.heard(len(messages), heard.utc_ms, self._clock.monotonic_s())
        if len(messages) + len(self._messages) >= _WINDOW:
            self._prompt_from_ns = heard.monotonic_ns + PROMPT_AFTER_S * 1_000_000_000
        self._connection.acknowledge(messages)
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self._connection.resume()
        self._waiting_bytes = sum(len(message.payload) + _MESSAGE_COST_BYTES for message in self._messages)

    # What the connection tells.

    def heard(self) -> None:
        """The broker lives."""
        self._link.alive_s = self._clock.monotonic_s()

    def deliver(self, message: Message) -> None:
        """A message came: note by which path, and when."""
        heard = self._clock.now()
        self._messages.append(message)
        self._arrivals.append(
            Arrival(
                frame=Frame(message.payload, topic=message.topic),
                driver=UNROUTED.name if message.topic is None else self._driver_for(message.topic),
                heard=heard,
                transport=TRANSPORT,
                source=self._options.name,
                prompt=heard.monotonic_ns >= self._prompt_from_ns and not message.dup and not message.retain,
                retained=message.retain,
                resent=message.mid if message.dup else None,
            )
        )
        self._waiting_bytes += len(message.payload) + _MESSAGE_COST_BYTES
        if self._waiting_bytes > WAITING_BYTES_MAX and self._connection:
            self._connection.pause()

    def granted(self, codes: Sequence[int]) -> None:
        """The source listens, unless the broker refused every filter."""
        refused = [index for index, code in enumerate(codes) if code >= _FAILURE]
        if len(refused) == len(codes):
            raise BadCredentials("The broker refused every subscription; check the rights of this client there.")
        self._link.up(self._clock.monotonic_s())
        unsafe = [index for index, code in enumerate(codes) if code == 0]
        if refused:
            self._ask(refused, "The broker refused to subscribe {}; check the rights of this client there.")
        elif unsafe:
            self._ask(unsafe, "The broker gives {} without acknowledgement (QoS 0), so messages may be lost there.")

    def forgotten(self, codes: Sequence[int]) -> None:
        """The session no longer holds filters that were taken out of the configuration."""
        if all(code < _FAILURE for code in codes):
            self._remember(frozenset(self._options.filters))

    def _ask(self, positions: Sequence[int], sentence: str) -> None:
        """Name filters by their place in the configuration: their text may hold a device's number."""
        texts = [topic.filter for topic in self._options.topics]
        places = ", ".join(f"topics[{texts.index(self._options.filters[position])}]" for position in positions)
        self._link.needs_person, self._link.why = True, sentence.format(places)

    def _remember(self, filters: frozenset[str]) -> None:
        if self._memory and self._memory.load() != filters:
            self._memory.save(filters)
