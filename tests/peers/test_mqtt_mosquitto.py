"""The MQTT transport against a real mosquitto."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.payload import PAYLOAD_BYTES_MAX
from drivers.registry import UNROUTED
from drivers.transports.mqtt import listen
from drivers.transports.mqtt_memory import FilterFile
from drivers.transports.mqtt_options import Topic
from gateway.clock import HubClock
from gateway.core.errors import LinkError, StoreFull
from gateway.core.link import LinkState
from gateway.core.reading import Arrival
from gateway.core.time import Instant
from gateway.supervise import keep_running
from tests.peers.hub import Shelf, failure_of, in_time, listening, options
from tests.peers.mosquitto import Mosquitto

BOTH = pytest.mark.parametrize("version", [5, 3])


@BOTH
def test_every_message_is_kept_once_and_acknowledged(mosquitto: Mosquitto, version: int) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port, version=version)
        lines = [f'{{"n": {n}}}' for n in range(200)]
        first, second = Shelf(), Shelf()
        async with listening(source, first.keep):
            await mosquitto.publish_lines("stel/1", lines)
            await first.has(200)
        assert first.payloads == lines
        assert {(a.driver, a.source, a.transport, a.frame.topic) for a in first.arrivals} == {
            ("stel", "cell", "mqtt", "stel/1")
        }
        async with listening(source, second.keep):
            await mosquitto.publish("telli/1", "after")
            await second.has(1)
        assert second.payloads == ["after"], "what was acknowledged came again"
        assert second.arrivals[0].driver == "telli"

    in_time(scenario)


@BOTH
def test_the_session_holds_what_comes_while_the_hub_is_down(mosquitto: Mosquitto, version: int) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port, version=version)
        shelf = Shelf()
        async with listening(source, shelf.keep):
            pass
        await mosquitto.publish("stel/1", "one", "two")
        async with listening(source, shelf.keep):
            await shelf.has(2)
        assert shelf.payloads == ["one", "two"]
        assert not any(arrival.prompt for arrival in shelf.arrivals), "a message the broker held is not fresh"

    in_time(scenario)


@BOTH
def test_a_full_store_leaves_the_messages_with_the_broker(mosquitto: Mosquitto, version: int) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port, version=version)
        full, shelf = Shelf(), Shelf()
        full.error = StoreFull("The store is full.")
        link = LinkState("cell", "mqtt")
        async with listening(source, full.keep, link) as task:
            await mosquitto.publish("stel/1", "kept by the broker")
            await asyncio.wait([task])
        assert task.exception() is full.error
        assert (link.is_up, link.why) == (False, "The store is full.")
        async with listening(source, shelf.keep):
            (again,) = await shelf.has(1)
        assert again.frame.payload == b"kept by the broker"
        assert again.resent is not None

    in_time(scenario)


class _BrokenClock(HubClock):
    """A clock that fails at the second look, which is when the first message comes."""

    looks = 0

    def now(self) -> Instant:
        self.looks += 1
        if self.looks == 2:
            raise RuntimeError("no clock")
        return super().now()


def test_an_error_in_a_callback_ends_listening_and_loses_nothing(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port)
        shelf = Shelf()
        async with listening(source, shelf.keep, clock=_BrokenClock()) as task:
            await mosquitto.publish("stel/1", "unlucky")
            await asyncio.wait([task])
        assert repr(task.exception()) == "RuntimeError('no clock')"
        async with listening(source, shelf.keep):
            await shelf.has(1)
        assert shelf.payloads == ["unlucky"]

    in_time(scenario)


@BOTH
@pytest.mark.parametrize("end", [Mosquitto.stop, Mosquitto.kill])
def test_a_broker_that_restarts_is_found_again(mosquitto: Mosquitto, version: int, end: object) -> None:
    async def scenario() -> None:
        assert callable(end)
        shelf, link, clock = Shelf(), LinkState("cell", "mqtt"), HubClock()
        source = options(mosquitto.port, version=version)
        spread = random.Random(7)
        running = asyncio.create_task(
            keep_running(
                lambda: listen(source, shelf.keep, clock, link), link, clock, lambda: spread.uniform(0.01, 0.1)
            )
        )
        await link.settled.wait()
        await mosquitto.publish("stel/1", "before")
        await shelf.has(1)
        end(mosquitto)
        mosquitto.start()
        # a killed broker forgot the session, so the message may come before the hub does: RETAIN keeps it there
        await mosquitto.publish("stel/2", "after", retain=True)
        await shelf.has(2)
        assert shelf.payloads == ["before", "after"]
        running.cancel()
        await asyncio.wait([running])

    in_time(scenario)


def test_a_broker_that_is_down_at_the_start_is_said_so_and_found_later(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        mosquitto.stop()
        shelf, link, clock = Shelf(), LinkState("cell", "mqtt"), HubClock()
        source = options(mosquitto.port)
        running = asyncio.create_task(
            keep_running(lambda: listen(source, shelf.keep, clock, link), link, clock, lambda: 0.02)
        )
        await link.settled.wait()
        assert (link.is_up, link.needs_person) == (False, False)
        assert link.why == "Nothing listens at the broker's address; the hub tries again."
        mosquitto.start()
        await mosquitto.publish("stel/1", "at last", retain=True)
        await shelf.has(1)
        running.cancel()
        await asyncio.wait([running])

    in_time(scenario)


def test_a_name_that_cannot_be_found_settles_the_link() -> None:
    async def scenario() -> None:
        link = LinkState("cell", "mqtt")
        error = await failure_of(options(1883, host="broker.invalid"), link)
        assert isinstance(error, LinkError)
        assert link.settled.is_set()
        assert link.why == str(error)

    in_time(scenario)


def test_mqtt_5_gives_a_retained_value_once_and_marks_it(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port)
        await mosquitto.publish("stel/old", "last known", retain=True)
        shelf = Shelf()
        async with listening(source, shelf.keep):
            (replayed,) = await shelf.has(1)
        assert (replayed.retained, replayed.prompt) == (True, False)
        async with listening(source, shelf.keep):
            await mosquitto.publish("stel/new", "live", retain=True)
            await shelf.has(2)
        assert shelf.payloads == ["last known", "live"], "a retained value came again at the reconnect"
        assert not shelf.arrivals[1].retained, "a live message published with RETAIN is no replay"

    in_time(scenario)


def test_mqtt_3_marks_every_replay_of_a_retained_value(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port, version=3)
        shelf = Shelf()
        async with listening(source, shelf.keep):
            await mosquitto.publish("stel/1", "live", retain=True)
            await shelf.has(1)
        async with listening(source, shelf.keep):
            await shelf.has(2)
        assert [(a.frame.payload, a.retained) for a in shelf.arrivals] == [(b"live", False), (b"live", True)]

    in_time(scenario)


def test_the_broker_has_no_more_than_receive_max_on_the_way(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        source = options(mosquitto.port, receive_max=7)
        shelf = Shelf()
        async with listening(source, shelf.keep):
            pass
        await mosquitto.publish_lines("stel/1", [str(n) for n in range(60)])

        acknowledged_ns: list[int] = []

        async def slowly(arrivals: Sequence[Arrival]) -> None:
            await mosquitto.publish("nobody/listens", "time for the broker to send more")
            await shelf.keep(arrivals)
            acknowledged_ns.append(HubClock().now().monotonic_ns)

        async with listening(source, slowly):
            await shelf.has(60)
        assert shelf.payloads == [str(n) for n in range(60)]
        # only up to the first acknowledgement: after it mosquitto 2.0.11 forgets its own count
        assert sum(a.heard.monotonic_ns < acknowledged_ns[0] for a in shelf.arrivals) <= 7

    in_time(scenario)


def test_a_backlog_is_kept_in_groups_that_a_small_store_can_take(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        source, shelf = options(mosquitto.port), Shelf()
        async with listening(source, shelf.keep):
            pass
        await mosquitto.publish_lines("stel/1", [str(n) for n in range(1500)])
        shelf.open.clear()
        async with listening(source, shelf.keep):
            await shelf.busy.wait()
            await mosquitto.publish("nobody/listens", "time for the broker to send more")
            shelf.open.set()
            await shelf.has(1500)
        assert shelf.payloads == [str(n) for n in range(1500)]
        assert max(map(len, shelf.groups)) <= 500

    in_time(scenario)


def test_a_filter_taken_out_of_the_configuration_is_unsubscribed(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        memory = FilterFile(tmp_path / "cell.filters")
        both = options(mosquitto.port)
        one = replace(both, topics=(Topic("telli/#", "telli"),))
        shelf = Shelf()
        async with listening(both, shelf.keep, memory=memory):
            assert memory.load() == {"stel/#", "telli/#"}
        async with listening(one, shelf.keep, memory=memory):
            await mosquitto.publish("stel/1", "no longer wanted")
            await mosquitto.publish("telli/1", "wanted")
            await shelf.has(1)
        assert shelf.payloads == ["wanted"]
        assert memory.load() == {"telli/#"}

    in_time(scenario)


def test_what_no_configured_topic_matches_is_kept_aside_and_acknowledged(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        both = options(mosquitto.port)
        one = replace(both, topics=(Topic("telli/#", "telli"),))
        shelf = Shelf()
        async with listening(both, shelf.keep):
            pass
        async with listening(one, shelf.keep):  # no memory: the old filter stays with the session
            await mosquitto.publish("stel/1", "left over")
            (left,) = await shelf.has(1)
        assert left.driver == UNROUTED.name
        async with listening(one, shelf.keep):
            await mosquitto.publish("telli/1", "wanted")
            await shelf.has(2)
        assert shelf.payloads == ["left over", "wanted"]

    in_time(scenario)


def test_shared_and_overlapping_filters_find_their_driver(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        topics = (Topic("$share/hubs/tenovi/+", "tenovi"), Topic("stel/7/#", "telli"), Topic("stel/#", "stel"))
        shelf = Shelf()
        async with listening(options(mosquitto.port, topics=topics), shelf.keep):
            await mosquitto.publish("tenovi/1", "a")
            await mosquitto.publish("stel/8", "b")
            await mosquitto.publish("stel/7/x", "c")
            while {"a", "b", "c"} - set(shelf.payloads):
                await shelf.has(len(shelf.arrivals) + 1)
        by_payload = {a.frame.payload.decode(): a.driver for a in shelf.arrivals}
        assert by_payload == {"a": "tenovi", "b": "stel", "c": "telli"}

    in_time(scenario)


def test_large_empty_binary_and_oddly_named_messages_come_whole(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        large = bytes(range(256)) * (2 * PAYLOAD_BYTES_MAX // 256)
        async with listening(options(mosquitto.port), shelf.keep):
            await mosquitto.publish("stel/Żółw \u202e'\"{}%s/ /", large, b"", b"\xff\x00\xfe")
            await shelf.has(3)
        digests = [hashlib.sha256(a.frame.payload).hexdigest() for a in shelf.arrivals]
        assert digests == [hashlib.sha256(sent).hexdigest() for sent in (large, b"", b"\xff\x00\xfe")]
        assert {a.frame.topic for a in shelf.arrivals} == {"stel/Żółw \u202e'\"{}%s/ /"}
        assert {a.driver for a in shelf.arrivals} == {"stel"}

    in_time(scenario)


def test_messages_of_the_other_qualities_of_service_are_kept_too(mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        async with listening(options(mosquitto.port), shelf.keep):
            await mosquitto.publish("stel/1", "zero", qos=0)
            await mosquitto.publish("stel/1", "two", qos=2)
            await shelf.has(2)
        assert shelf.payloads == ["zero", "two"]

    in_time(scenario)


@pytest.mark.parametrize("is_busy", [False, True])
def test_it_stops_within_a_second(mosquitto: Mosquitto, is_busy: bool) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        shelf.open.clear()
        async with listening(options(mosquitto.port), shelf.keep) as task:
            if is_busy:
                await mosquitto.publish("stel/1", "never kept")
                await shelf.busy.wait()
            began_s = asyncio.get_running_loop().time()
            task.cancel()
            await asyncio.wait([task])
            assert asyncio.get_running_loop().time() - began_s < 1.0
        assert task.cancelled()

    in_time(scenario)
