"""
One connection to a broker: asyncio carries the bytes, paho speaks the protocol.

paho usually owns a socket and a thread. Here its socket is a pair of byte buffers (`_Wire`), so that

  - nothing blocks the loop: asyncio does DNS, TCP, TLS and their time limits;
  - there is no thread that can die unseen behind an `is_connected()` that stays true. What paho or a callback raises
    comes up through `_guarded` and ends the connection. Life is proven by bytes heard; on a silent line paho asks for
    them with PINGREQ, and gives up where no PINGRESP comes;
  - a burst is read and acknowledged with one system call each, not five for every message;
  - an idle line wakes the hub four times per keepalive, where paho's thread wakes it every second.

A Connection is opened once. A packet id means nothing on another connection, so an acknowledgement goes to the
Connection that delivered the message, or nowhere.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from drivers.transports.mqtt_errors import broken, from_network, from_reason
from drivers.transports.mqtt_options import MqttOptions
from gateway.core.errors import BadCredentials, LinkLost, NotThere, Refused

# From the first packet to CONNACK, DNS and TLS included; a hub on a poor mobile network needs several round trips.
CONNECT_S = 20.0
# DISCONNECT is a courtesy: the session stays either way, so stopping does not wait for it.
_CLOSE_S = 0.5
# How long the broker keeps session and queue of a hub that stays away: a 30-day billing period and two months to
# find out that the hub in the cupboard is off.
SESSION_EXPIRY_S = 90 * 86_400
# MQTT allows 256 MiB. A device's message has a few KB; this is far above it and still fits a Pi. The limit is not told
# to the broker (Maximum Packet Size), because a broker silently drops what is larger.
PACKET_BYTES_MAX = 32 * 1_048_576

# MQTT 5, 3.8.3.1: retained values come when a subscription is new and not at every reconnect, so that a value never
# seen still comes, once. Retain-as-published stays off: else a device that publishes its readings with RETAIN would
# look as if the broker replayed them.
_SUBSCRIBE_5 = SubscribeOptions(qos=1, retainAsPublished=False, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)

_V5 = MQTTProtocolVersion.MQTTv5
_VERSIONS = {5: _V5, 3: MQTTProtocolVersion.MQTTv311}


class Message(NamedTuple):
    """A PUBLISH as it came. `topic` is None where it is not UTF-8."""

    mid: int
    qos: int
    topic: str | None
    payload: bytes
    dup: bool
    retain: bool


class Receiver(Protocol):
    """Whom a connection tells what it hears. What these raise ends the connection, and `failure` holds it."""

    def heard(self) -> None:
        """The broker lives: bytes came."""

    def deliver(self, message: Message) -> None:
        """A message came."""

    def granted(self, codes: Sequence[int]) -> None:
        """The broker's word on each filter subscribed to: the QoS granted, or a reason from 0x80 on."""

    def forgotten(self, codes: Sequence[int]) -> None:
        """The broker's word on each filter unsubscribed from; empty in MQTT 3.1.1."""


class _Wire:
    """What paho takes for its socket: bytes that came, bytes to go. It makes no system call and never blocks."""

    __slots__ = ("_at", "_chunk", "is_closed", "out")

    def __init__(self) -> None:
        self._chunk = b""
        self._at = 0
        self.out = bytearray()
        self.is_closed = False

    def feed(self, chunk: bytes) -> None:
        """Bytes came; paho reads all of them before the next come."""
        self._chunk, self._at = chunk, 0

    @property
    def has_more(self) -> bool:
        """Whether something is left to read."""
        return self._at < len(self._chunk) and not self.is_closed

    def recv(self, size: int) -> bytes:
        """At most `size` bytes. paho asks for the whole body of a packet at once, which is where its size shows."""
        if size > PACKET_BYTES_MAX:
            raise Refused(
                f"The broker sends a message of more than {PACKET_BYTES_MAX // 1_048_576} MiB; remove it there, "
                "and limit the size of messages at the broker."
            )
        piece = self._chunk[self._at : self._at + size]
        if not piece:
            raise BlockingIOError
        self._at += len(piece)
        return piece

    def send(self, piece: bytes | bytearray) -> int:
        """All of it, later."""
        self.out += piece
        return len(piece)

    def close(self) -> None:
        """Called by paho where it gives the connection up."""
        self.is_closed = True

    def fileno(self) -> int:
        """None: there is no descriptor."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """Nothing here blocks."""


class _Client(paho.Client):
    """paho without a socket, a thread or reconnects of its own. `_create_socket` is private; a test watches it."""

    def __init__(self, options: MqttOptions, wire: _Wire) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=None if options.version == 5 else False,
            protocol=_VERSIONS[options.version],
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._wire = wire

    def _create_socket(self) -> _Wire:
        return self._wire


class Connection(asyncio.Protocol):
    """
    A session with a broker, from CONNECT to its end.

    `failure` is why it ended, once it has; `changed` is set when a message came or it ended.
    """

    def __init__(self, options: MqttOptions, receiver: Receiver) -> None:
        self.failure: BaseException | None = None
        self.changed = asyncio.Event()
        self._options = options
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._accepted: asyncio.Future[bool] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._wire = _Wire()
        self._client = self._new_client()

    def _new_client(self) -> _Client:
        client = _Client(self._options, self._wire)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_socket_register_write = _later  # without one, paho writes each packet by itself
        return client

    async def open(self) -> bool:
        """Connect; whether the broker still held the session. Raises LinkError or Refused."""
        options = self._options
        tls = _tls(options) if options.tls else None
        self._identify()
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._loop.create_connection(
                    lambda: self, options.host, options.port, ssl=tls, happy_eyeballs_delay=0.25
                )
                return await self._accepted
        except (OSError, UnicodeError) as error:  # TLS errors and time-outs are OSErrors; UnicodeError: no host's name
            raise from_network(error) from error

    def _identify(self) -> None:
        options = self._options
        if options.username is None:
            return
        try:
            password = options.password.read() if options.password else None
        except NotThere as error:
            raise BadCredentials(str(error)) from error
        self._client.username_pw_set(options.username, password)

    def subscribe(self, filters: Sequence[str], forget: Sequence[str]) -> None:
        """Subscribe to `filters`, unsubscribe from `forget`; the receiver gets the broker's word on each."""
        if forget:
            self._client.unsubscribe(list(forget))
        if self._options.version == 5:
            self._client.subscribe([(text, _SUBSCRIBE_5) for text in filters])
        else:
            self._client.subscribe([(text, 1) for text in filters])
        self._flush()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK each. After the connection's end nothing is sent: the broker sends those messages again."""
        if self.failure is not None:
            return
        for message in messages:
            if message.qos:
                self._client.ack(message.mid, message.qos)
        self._flush()

    def pause(self) -> None:
        """Leave what comes with the broker."""
        if self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport and self.failure is None:
            self._transport.resume_reading()

    async def close(self) -> None:
        """Say goodbye, keep the session, and be gone within half a second."""
        if self._ticker:
            self._ticker.cancel()
        if self._transport is None:
            return
        if self.failure is None:
            self.failure = LinkLost("The hub closed the connection to the broker.")
            self._client.disconnect()
            self._flush()
        self._transport.close()
        await asyncio.wait([self._lost], timeout=_CLOSE_S)
        if not self._lost.done():  # a transport that is gone already breaks on it (Python 3.11.2)
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP, and TLS where configured, stands: CONNECT."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- what create_connection makes
        self._transport = transport
        self._guarded(self._connect)

    def data_received(self, chunk: bytes) -> None:
        """Bytes came: whole packets, parts of packets, many packets."""
        if self.failure is None:
            self._receiver.heard()
            self._wire.feed(chunk)
            self._guarded(self._read)

    def connection_lost(self, error: Exception | None) -> None:
        """TCP is gone."""
        self.fail(broken(error))
        if not self._lost.done():
            self._lost.set_result(None)

    # What paho calls.

    def _on_connect(self, _client: Any, _userdata: Any, flags: paho.ConnectFlags, code: ReasonCode, _more: Any) -> None:
        if code.is_failure:
            self.fail(from_reason(code.value))
        elif not self._accepted.done():
            self._accepted.set_result(flags.session_present)

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, code: ReasonCode, _more: Any) -> None:
        self.fail(from_reason(code.value))

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            topic: str | None = message.topic
        except UnicodeDecodeError:
            topic = None
        payload = bytes(message.payload)
        self._receiver.deliver(Message(message.mid, message.qos, topic, payload, message.dup, message.retain))
        self.changed.set()

    def _on_subscribe(self, _client: Any, _userdata: Any, _mid: int, codes: list[ReasonCode], _more: Any) -> None:
        self._receiver.granted([code.value for code in codes])

    def _on_unsubscribe(self, _client: Any, _userdata: Any, _mid: int, codes: list[ReasonCode], _more: Any) -> None:
        self._receiver.forgotten([code.value for code in codes])

    # What they come to.

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run paho and what it calls; whatever is raised ends this connection and is raised by `listen`."""
        try:
            work()
            self._flush()
        except Exception as error:  # noqa: BLE001 -- forwarded, see above
            self.fail(error)

    def _connect(self) -> None:
        options = self._options
        if options.version == 5:
            asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it so
            asked.SessionExpiryInterval = SESSION_EXPIRY_S
            asked.ReceiveMaximum = options.receive_max
            # paho's default wipes the session at the first connect of a process
            self._client.connect_async(
                options.host, options.port, options.keepalive_s, clean_start=False, properties=asked
            )
        else:
            self._client.connect_async(options.host, options.port, options.keepalive_s)
        self._client.reconnect()
        self._tick()

    def _read(self) -> None:
        while self._wire.has_more:
            self._client.loop_read()

    def _tick(self) -> None:
        """Four times per keepalive: paho sends PINGREQ when it is due and gives up where no PINGRESP came."""
        self._ticker = self._loop.call_later(self._client.keepalive / 4 or self._options.keepalive_s, self._tick)
        self._guarded(lambda: _ignore(self._client.loop_misc()))

    def _flush(self) -> None:
        if self._client.want_write():
            self._client.loop_write()
        if self._wire.out and self._transport:
            self._transport.write(bytes(self._wire.out))
            self._wire.out.clear()

    def fail(self, error: BaseException) -> None:
        """End the connection for this reason; the first reason stands."""
        if self.failure is not None:
            return
        self.failure = error
        if not self._accepted.done():
            self._accepted.set_exception(error)
            self._accepted.exception()  # seen: nobody may be waiting for it any more
        if self._ticker:
            self._ticker.cancel()
        if self._transport:
            self._transport.close()
        self.changed.set()


@asynccontextmanager
async def connected(options: MqttOptions, receiver: Receiver) -> AsyncIterator[tuple[Connection, bool]]:
    """An open connection, and whether the broker still held the session; closed on leaving."""
    connection = Connection(options, receiver)
    try:
        yield connection, await connection.open()
    finally:
        await connection.close()


def _tls(options: MqttOptions) -> ssl.SSLContext:
    """Made for each connection, so that renewed certificates count from the next one on."""
    try:
        context = ssl.create_default_context(cafile=options.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.cert:
            # without a password OpenSSL would ask on the terminal for that of an encrypted key, and hang
            context.load_cert_chain(options.cert, options.key, password="")
    except (OSError, ValueError) as error:
        raise BadCredentials(
            "The certificate files of this source cannot be used; check that ca, cert and key are there, "
            "readable, unencrypted PEM, and belong together."
        ) from error
    return context


def _later(_client: Any, _userdata: Any, _sock: Any) -> None:
    """Packets to go are written by `_flush`, many at once."""


def _ignore(_code: Any) -> None:
    """What paho's return code says comes by `on_disconnect` as well."""
