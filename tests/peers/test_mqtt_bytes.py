"""The MQTT transport byte by byte, against a broker that does what mosquitto cannot be made to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import paho.mqtt.client as paho
import pytest

from drivers.registry import UNROUTED
from drivers.transports.mqtt import PROMPT_AFTER_S, WAITING_BYTES_MAX
from drivers.transports.mqtt_connection import SESSION_EXPIRY_S
from gateway.core.errors import BadCredentials, GatewayError, LinkError, LinkTimeout, Refused, Remedy, remedy_of
from gateway.core.link import LinkState
from tests.fakes.clock import FakeClock
from tests.fakes.mqtt_broker import CONNECT, DISCONNECT, PINGREQ, PUBACK, PUBLISH, SUBSCRIBE, FakeBroker, serving
from tests.peers.hub import Shelf, failure_of, in_time, listening, options
from tests.peers.mosquitto import Mosquitto

BOTH = pytest.mark.parametrize("version", [5, 3])
RETAIN, DUP = 0b0001, 0b1000


class _Peer(Protocol):
    """What the contract asks of a broker."""

    port: int

    async def publish_one(self, payload: bytes) -> None: ...


class _RealPeer:
    def __init__(self, mosquitto: Mosquitto) -> None:
        self.port = mosquitto.port
        self._mosquitto = mosquitto

    async def publish_one(self, payload: bytes) -> None:
        await self._mosquitto.publish("stel/1", payload)


class _FakePeer:
    def __init__(self, fake: FakeBroker) -> None:
        self.port = fake.port
        self._fake = fake

    async def publish_one(self, payload: bytes) -> None:
        self._fake.publish("stel/1", payload)


@asynccontextmanager
async def _peer(kind: str, mosquitto: Mosquitto) -> AsyncIterator[_Peer]:
    if kind == "mosquitto":
        yield _RealPeer(mosquitto)
    else:
        async with serving(FakeBroker()) as fake:
            yield _FakePeer(fake)


@BOTH
@pytest.mark.parametrize("kind", ["mosquitto", "fake"])
def test_fake_and_mosquitto_send_again_what_was_not_acknowledged(mosquitto: Mosquitto, kind: str, version: int) -> None:
    async def scenario() -> None:
        async with _peer(kind, mosquitto) as peer:
            source = options(peer.port, version=version)
            stuck, shelf, later = Shelf(), Shelf(), Shelf()
            stuck.open.clear()
            async with listening(source, stuck.keep):
                await peer.publish_one(b"frame")
                await stuck.busy.wait()
            async with listening(source, shelf.keep):
                (again,) = await shelf.has(1)
                assert (again.frame.payload, again.frame.topic) == (b"frame", "stel/1")
                assert again.resent is not None
            async with listening(source, later.keep):
                await peer.publish_one(b"next")
                await later.has(1)
            assert later.payloads == ["next"]

    in_time(scenario)


@BOTH
def test_no_acknowledgement_leaves_before_keep_returned(version: int) -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            shelf = Shelf()
            shelf.open.clear()
            async with listening(options(fake.port, version=version), shelf.keep):
                fake.publish("stel/1", b"a", mid=9)
                await shelf.busy.wait()
                await _quiet()
                assert not fake.packets(PUBACK)
                shelf.open.set()
                assert await fake.saw(PUBACK) == [(1, b"\0\x09")]

    in_time(scenario)


@BOTH
def test_an_acknowledgement_never_crosses_to_a_later_connection(version: int) -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            source = options(fake.port, version=version)
            first, second = Shelf(), Shelf()
            first.open.clear()
            second.open.clear()
            async with listening(source, first.keep) as task:
                fake.publish("stel/1", b"old", mid=9)
                await first.busy.wait()
                fake.drop()
                fake.unacknowledged.clear()
                async with listening(source, second.keep):
                    fake.publish("stel/1", b"other", mid=9)  # the broker is free to use the number again
                    await second.busy.wait()
                    first.open.set()  # the old message becomes durable now
                    await asyncio.wait([task])
                    await _quiet()
                    assert not fake.packets(PUBACK), "9 was acknowledged while `other` was not kept"
                    second.open.set()
                    assert await fake.saw(PUBACK) == [(2, b"\0\x09")]
            assert isinstance(task.exception(), LinkError)
            assert first.payloads == ["old"]

    in_time(scenario)


def test_mqtt_5_asks_for_a_lasting_session_and_a_window() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            async with listening(options(fake.port, receive_max=7), Shelf().keep):
                pass
            ((_, body),) = fake.packets(CONNECT)
            properties = b"\x11" + SESSION_EXPIRY_S.to_bytes(4, "big") + b"\x21\x00\x07"
            assert body == b"\0\4MQTT\5\0\0\x3c\x08" + properties + b"\0\5hub-7"
            ((_, body),) = fake.packets(SUBSCRIBE)
            # QoS 1, retained values only where the subscription is new
            assert body.endswith(b"\0\6stel/#\x11\0\7telli/#\x11")
            await fake.saw(DISCONNECT)  # the broker is told that the hub leaves on purpose

    in_time(scenario)


def test_mqtt_3_asks_for_a_lasting_session() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            async with listening(options(fake.port, version=3), Shelf().keep):
                pass
            assert fake.packets(CONNECT) == [(1, b"\0\4MQTT\4\0\0\x3c\0\5hub-7")]
            ((_, body),) = fake.packets(SUBSCRIBE)
            assert body.endswith(b"\0\6stel/#\1\0\7telli/#\1")

    in_time(scenario)


@pytest.mark.parametrize(
    ("version", "connack", "kind", "remedy"),
    [
        (5, 0x84, Refused, Remedy.HOLD),
        (5, 0x86, BadCredentials, Remedy.HOLD),
        (5, 0x88, LinkError, Remedy.RETRY),
        (3, 1, LinkError, Remedy.RETRY),  # paho does not say which refusal this was
        (3, 2, Refused, Remedy.HOLD),
        (3, 3, LinkError, Remedy.RETRY),
        (3, 4, BadCredentials, Remedy.HOLD),
        (3, 5, BadCredentials, Remedy.HOLD),
    ],
)
def test_a_refused_connection_says_why(version: int, connack: int, kind: type[GatewayError], remedy: Remedy) -> None:
    async def scenario() -> None:
        async with serving(FakeBroker(connack=connack)) as fake:
            link = LinkState("cell", "mqtt")
            error = await failure_of(options(fake.port, version=version), link)
            assert isinstance(error, kind)
            assert remedy_of(error) is remedy
            assert (link.why, link.needs_person) == (str(error), remedy is Remedy.HOLD)

    in_time(scenario)


def test_a_session_taken_over_asks_for_a_person() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            link = LinkState("cell", "mqtt")
            async with listening(options(fake.port), Shelf().keep, link) as task:
                fake.send(DISCONNECT, b"\x8e")
                await asyncio.wait([task])
            assert isinstance(task.exception(), Refused)
            assert link.why == "Another client took over this session; give each hub a client_id of its own."

    in_time(scenario)


@BOTH
def test_a_filter_the_broker_refuses_is_named_and_the_others_work(version: int) -> None:
    async def scenario() -> None:
        async with serving(FakeBroker(suback=(1, 0x80))) as fake:
            link, shelf = LinkState("cell", "mqtt"), Shelf()
            async with listening(options(fake.port, version=version), shelf.keep, link):
                assert (link.is_up, link.needs_person) == (True, True)
                assert link.why == "The broker refused to subscribe topics[1]; check the rights of this client there."
                fake.publish("stel/1", b"still works")
                await shelf.has(1)

    in_time(scenario)


def test_a_broker_that_refuses_every_filter_refuses_the_hub() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker(suback=(0x87, 0x87))) as fake:
            assert isinstance(await failure_of(options(fake.port)), BadCredentials)

    in_time(scenario)


def test_a_broker_that_grants_no_acknowledgement_is_reported() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker(suback=(0, 1))) as fake:
            link = LinkState("cell", "mqtt")
            async with listening(options(fake.port), Shelf().keep, link):
                assert link.is_up
                assert (
                    link.why
                    == "The broker gives topics[0] without acknowledgement (QoS 0), so messages may be lost there."
                )

    in_time(scenario)


@BOTH
def test_a_silent_broker_is_noticed_behind_an_open_connection(version: int) -> None:
    async def scenario() -> None:
        async with serving(FakeBroker(answers_pings=False)) as fake:
            error = await failure_of(options(fake.port, version=version, keepalive_s=1))
            assert isinstance(error, LinkTimeout)
            assert fake.packets(PINGREQ)

    in_time(scenario)


def test_an_idle_line_proves_its_life_by_pings() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            link, clock = LinkState("cell", "mqtt"), FakeClock()
            async with listening(options(fake.port, keepalive_s=1), Shelf().keep, link, clock) as task:
                clock.jump(500.0)
                assert link.alive_s < clock.monotonic_s()
                await fake.saw(PINGREQ, 2)
                await _quiet()
                assert link.alive_s == clock.monotonic_s()
                assert not task.done()

    in_time(scenario)


def test_a_message_counts_as_fresh_only_on_a_settled_line() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            clock, shelf = FakeClock(), Shelf()
            async with listening(options(fake.port), shelf.keep, clock=clock):
                fake.publish("stel/1", b"perhaps held", mid=1)
                await shelf.has(1)
                clock.jump(PROMPT_AFTER_S)
                fake.publish("stel/1", b"fresh", mid=2)
                await shelf.has(2)
                fake.publish("stel/1", b"again", mid=3, flags=DUP)
                await shelf.has(3)
                fake.publish("stel/1", b"replayed", mid=4, flags=RETAIN)
                await shelf.has(4)
            assert [a.prompt for a in shelf.arrivals] == [False, True, False, False]
            assert [a.resent for a in shelf.arrivals] == [None, None, 3, None]
            assert [a.retained for a in shelf.arrivals] == [False, False, False, True]

    in_time(scenario)


def test_a_burst_that_fills_the_window_makes_the_next_messages_doubtful() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            clock, shelf = FakeClock(), Shelf()
            async with listening(options(fake.port), shelf.keep, clock=clock):
                clock.jump(PROMPT_AFTER_S)
                for mid in range(1, 41):
                    fake.publish("stel/1", b"burst", mid=mid)
                await shelf.has(40)
                await fake.saw(PUBACK, 40)
                fake.publish("stel/1", b"perhaps held", mid=41)
                await shelf.has(41)
                clock.jump(PROMPT_AFTER_S)
                fake.publish("stel/1", b"fresh", mid=42)
                await shelf.has(42)
            assert [a.prompt for a in shelf.arrivals[-2:]] == [False, True]

    in_time(scenario)


def test_a_topic_that_is_not_text_is_kept_aside_and_acknowledged() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            shelf = Shelf()
            async with listening(options(fake.port), shelf.keep):
                fake.publish(b"stel/\xff", b"?", mid=5)
                fake.publish("stel/\x01\x7f", b"!", mid=6)
                await fake.saw(PUBACK, 2)
            assert [(a.frame.topic, a.driver) for a in shelf.arrivals] == [
                (None, UNROUTED.name),
                ("stel/\x01\x7f", "stel"),
            ]

    in_time(scenario)


def test_messages_in_pieces_and_in_heaps_are_all_kept() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            shelf = Shelf()
            async with listening(options(fake.port, version=3), shelf.keep):
                one = b"\x32\x0b\0\6stel/1\0\7x"
                for byte in one:
                    fake.send_raw(bytes([byte]))
                    await _quiet(5)
                fake.send_raw(one * 50 + one[:5])
                fake.send_raw(one[5:])
                await fake.saw(PUBACK, 52)
            assert shelf.payloads == ["x"] * 52

    in_time(scenario)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 302 Found\r\n" * 20,
        b"\x20\xff\xff\xff\xff\xff",
        b"\x90\x03\0\1\x7b",
        b"\xf0\0",
    ],
    ids=["a captive portal", "a length without end", "an unknown reason", "a reserved packet"],
)
def test_an_answer_that_is_not_mqtt_ends_the_connection_and_no_more(raw: bytes) -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            async with listening(options(fake.port), Shelf().keep) as task:
                fake.send_raw(raw)
                await asyncio.wait([task])
            assert isinstance(task.exception(), LinkError)

    in_time(scenario)


def test_a_message_beyond_the_limit_is_refused_before_it_fills_the_memory() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            async with listening(options(fake.port), Shelf().keep) as task:
                fake.send_raw(bytes([PUBLISH << 4 | 2]) + b"\xff\xff\xff\x7f" + b"\0\6stel/1")
                await asyncio.wait([task])
            assert isinstance(task.exception(), Refused)

    in_time(scenario)


def test_what_the_store_cannot_take_stays_with_the_broker() -> None:
    async def scenario() -> None:
        async with serving(FakeBroker()) as fake:
            shelf = Shelf()
            shelf.open.clear()
            async with listening(options(fake.port), shelf.keep):
                piece = bytes(65_536)
                for _ in range(400):  # 25 MiB
                    fake.publish("stel/1", piece, qos=0)
                await _quiet(500)
                shelf.open.set()
                await shelf.has(400)
            # beyond the limit by one read at most
            assert max(sum(len(a.frame.payload) for a in group) for group in shelf.groups) < WAITING_BYTES_MAX + 2**19

    in_time(scenario)


def test_paho_still_makes_its_socket_where_it_is_replaced() -> None:
    assert "_create_socket" in vars(paho.Client)


async def _quiet(turns: int = 50) -> None:
    """Let everything that is under way on loopback arrive."""
    for _ in range(turns):
        await asyncio.sleep(0)
