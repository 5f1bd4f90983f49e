"""What scanners and attackers send to an open port: refused or cut off, nothing kept, nobody else disturbed."""

import asyncio
import gc
import logging
import socket
import ssl
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.transports.webhook import CONNECTIONS_MAX, IDLE_LEAST_S, IDLE_S, REQUEST_S, listen
from drivers.transports.webhook_http import HEAD_BYTES_MAX
from gateway.clock import HubClock
from gateway.core.errors import LinkLost, Refused
from gateway.core.link import LinkState
from tests.fakes.clock import FakeClock
from tests.peers.hub import Shelf, in_time
from tests.peers.webhook.site import AUTHORIZED, PATH, READING, TOKEN, Authority, Site, options, request, standing

PAYLOAD_BYTES_MAX = 262_144
Attack = Callable[[Site, Shelf], Awaitable[None]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def against(folder: Path, attack: Attack, authority: Authority | None = None) -> None:
    """Run an attack; afterwards a vendor is served as before."""

    async def scenario() -> None:
        shelf = Shelf()
        source = options(folder, certificate=authority.issue() if authority else None)
        async with standing([source], shelf.keep, authority) as site:
            await attack(site, shelf)
            kept = len(shelf.arrivals)
            assert (await site.post()).status_code == 200
            assert len(shelf.arrivals) == kept + 1
            assert not site.task.done()

    in_time(scenario)


def chunked(*pieces: bytes) -> bytes:
    """A body in chunks, ended."""
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


def in_chunks(*pieces: bytes) -> bytes:
    """A request whose body comes in chunks."""
    return request(b"", "Transfer-Encoding: chunked", "Connection: close") + chunked(*pieces)


MALFORMED = {
    "garbage": b"\x00\x01\x02\xff" * 50 + b"\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "smb": bytes.fromhex("00000085ff534d4272") + bytes(120) + b"\r\n\r\n",
    "no host": b"POST / HTTP/1.1\r\n\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http 9": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "spaced field": b"POST / HTTP/1.1\r\nHost : x\r\n\r\n",
    "nul in field": b"POST / HTTP/1.1\r\nHost: x\0\r\n\r\n",
    "length twice": request(READING, "Content-Length: 3", "Content-Length: 4"),
    "length of words": request(READING, "Content-Length: ten"),
    "length below nothing": request(READING, "Content-Length: -1"),
    "length and chunks": request(READING, "Content-Length: 3", "Transfer-Encoding: chunked"),
    "other transfer coding": request(READING, "Transfer-Encoding: gzip"),
    "chunk of no length": request(b"", "Transfer-Encoding: chunked") + b"zz\r\n\r\n",
    "chunk below nothing": request(b"", "Transfer-Encoding: chunked") + b"-1\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_http_is_told_so(tmp_path: Path, sent: bytes) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        said = await site.said(sent)
        assert said[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 501", b"HTTP/1.1 505"), said
        assert b"connection: close" in said.lower()
        assert not shelf.arrivals
        assert site.counts["", "malformed"] + site.counts["stel-cloud", "malformed"] == 1

    against(tmp_path, attack)


@pytest.mark.parametrize(
    "bomb",
    [
        b"POST /" + b"a" * 10_000_000,
        b"POST / HTTP/1.1\r\n" + b"X-Field: " + b"a" * 10_000_000,
        b"POST / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1_000_000,
    ],
    ids=["line", "field", "fields"],
)
def test_a_head_without_end_is_refused_early(tmp_path: Path, bomb: bytes) -> None:
    async def attack(site: Site, _shelf: Shelf) -> None:
        said = await site.said(bomb[: HEAD_BYTES_MAX * 2])
        assert said.startswith(b"HTTP/1.1 431 ")
        await site.said(bomb)
        await site.has_counted("", "malformed", 2)

    against(tmp_path, attack)


def test_ten_mebibytes_are_refused_without_being_read(tmp_path: Path, authority: Authority) -> None:
    body = b"x" * 10_485_760

    async def attack(site: Site, shelf: Shelf) -> None:
        reader, writer = await site.dial()
        writer.write(request(body)[:1000])
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")  # to the head alone
        writer.close()
        asked = await site.said(request(body, "Expect: 100-continue")[: -len(body)])
        assert asked.startswith(b"HTTP/1.1 413 ")
        gc.collect()
        tracemalloc.start()
        for _ in range(5):
            await site.said(request(body))
            await site.said(in_chunks(*[b"x" * 65_536] * 160))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # the client's own copies are in it: two of the body and what it could not send
        assert peak < 6 * len(body)
        assert site.counts["stel-cloud", "size"] == 12
        assert not shelf.arrivals

    against(tmp_path, attack, authority)


@pytest.mark.parametrize("size", [PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1])
def test_the_limit_is_exact(tmp_path: Path, authority: Authority, size: int) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        wanted = 200 if size == PAYLOAD_BYTES_MAX else 413
        assert (await site.post(b"x" * size)).status_code == wanted

        said = await site.said(in_chunks(*[b"x" * 1024] * (size // 1024), *[b"x"] * (size % 1024)))
        assert said[:12] == b"HTTP/1.1 %d" % wanted
        assert [len(arrival.frame.payload) for arrival in shelf.arrivals] == [size, size] * (wanted == 200)

    against(tmp_path, attack, authority)


def test_a_body_in_single_bytes_is_no_way_to_keep_us_busy(tmp_path: Path) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        said = await site.said(in_chunks(*[b"x"] * 100_000))
        assert said[:12] in (b"HTTP/1.1 413", b"")
        await site.has_counted("stel-cloud", "size")
        assert not shelf.arrivals

    against(tmp_path, attack)


def test_strangers_are_turned_away_before_their_body(tmp_path: Path) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n"
        said = await site.said(f"{head}\r\n".encode(), closes=True)
        assert said.startswith(b"HTTP/1.1 401 ")
        asked = await site.said(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert asked.startswith(b"HTTP/1.1 401 ")
        # one that sends all of it gets to read the answer
        assert (await site.post(b"x" * 200_000, {})).status_code == 401
        assert not shelf.arrivals

    against(tmp_path, attack)


def test_tls_garbage_and_plain_http_on_the_tls_port(tmp_path: Path, authority: Authority) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        trusted, site.client = site.client, None
        for garbage in (request(), b"\x16\x03\x01\xff\xff" + bytes(60_000), b"\x80" * 100, bytes(5)):
            said = await site.said(garbage, closes=True)
            assert b"HTTP" not in said
        await site.has_counted("", "connection", 4)
        _, writer = await asyncio.open_connection("localhost", site.port)
        writer.close()  # a port scan
        site.client = trusted
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("localhost", site.port, ssl=ssl.create_default_context())
        assert not shelf.arrivals

    against(tmp_path, attack, authority)


def test_nothing_of_it_reaches_a_log(tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def attack(site: Site, _shelf: Shelf) -> None:
        await site.post(fields={"Authorization": "Bearer wrong"})
        trusted, site.client = site.client, None
        await site.said(b"\x16\x03\x01\xff\xff" + bytes(6000), closes=True)
        site.client = trusted
        await site.said(MALFORMED["garbage"])

    against(tmp_path, attack, authority)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert [record.getMessage() for record in ours] == []


def test_requests_one_behind_the_other_are_answered_in_order(tmp_path: Path, authority: Authority) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        bodies = [b'{"n": %d}' % number for number in range(20)]
        train = b"".join(request(body) for body in bodies) + request(b"", "Connection: close", path="/no")
        said = await site.said(train)
        assert said.count(b"HTTP/1.1 200 ") == 20
        assert said.rpartition(b"HTTP/1.1")[2].startswith(b" 404 ")
        assert [arrival.frame.payload for arrival in shelf.arrivals] == bodies

    against(tmp_path, attack, authority)


def test_a_body_in_chunks_and_one_that_waits_for_leave(tmp_path: Path, authority: Authority) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        said = await site.said(in_chunks(b'{"a"', b": 1}"))
        assert said.startswith(b"HTTP/1.1 200 ")
        reader, writer = await site.dial()
        writer.write(request(b"[1]", "Expect: 100-continue", "Connection: close")[:-3])
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"[1]")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert [arrival.frame.payload for arrival in shelf.arrivals] == [b'{"a": 1}', b"[1]"]

    against(tmp_path, attack, authority)


def test_old_and_odd_requests_that_are_http(tmp_path: Path) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        old = f"POST {PATH} HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n\r\n[]".encode()
        whole = request(b"{}", "Connection: close", path=f"http://proxy.example{PATH}?a=b")
        empty = request(b"", "Connection: close")
        for sent in (old, whole, empty):
            assert (await site.said(sent)).startswith(b"HTTP/1.1 200 ")
        assert [arrival.frame.payload for arrival in shelf.arrivals] == [b"[]", b"{}", b""]
        for method, path in (("CONNECT", "x:443"), ("OPTIONS", "*"), ("BREW", PATH)):
            said = await site.said(request(b"", "Connection: close", "Upgrade: h2c", method=method, path=path))
            assert said[:12] in (b"HTTP/1.1 404", b"HTTP/1.1 405")

    against(tmp_path, attack)


def test_a_caller_who_closes_its_half_still_hears(tmp_path: Path) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        assert (await site.said(request(), closes=True)).startswith(b"HTTP/1.1 200 ")
        assert (await site.said(request()[:-1], closes=True)).startswith(b"HTTP/1.1 400 ")
        assert (await site.said(request()[:20], closes=True)).startswith(b"HTTP/1.1 400 ")
        assert await site.said(b"", closes=True) == b""
        assert len(shelf.arrivals) == 1

    against(tmp_path, attack)


def slowly(folder: Path, begun: bytes, after_s: float, counted: int) -> None:
    """Begin something and dawdle: cut off when its time is over, and not before."""

    async def scenario() -> None:
        clock, shelf = FakeClock(), Shelf()
        async with standing([options(folder)], shelf.keep, clock=clock) as site:
            reader, writer = await site.dial()
            answered = b""
            if begun.startswith(b"POST") and begun.endswith(READING):
                writer.write(begun)
                answered = await reader.readuntil(b"Kept.\n")
            elif begun:
                writer.write(begun)
                # a second caller is served in the meantime, so the first bytes have arrived
                assert (await site.post()).status_code == 200
            ending = asyncio.create_task(reader.read())
            await _tick(clock, after_s - 2)
            assert not ending.done()
            await _tick(clock, 3)
            assert await ending == b""
            assert site.counts["", "slow"] == counted
            assert bool(answered) is begun.endswith(READING)
            writer.close()
            assert (await site.post()).status_code == 200

    in_time(scenario)


async def _tick(clock: FakeClock, seconds: float) -> None:
    """Let time pass, a sweep each second."""
    for _ in range(int(seconds)):
        await clock.asleep()
        clock.jump(1)
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("begun", "after_s", "counted"),
    [
        (b"", IDLE_S, 0),
        (b"POST /ven", REQUEST_S, 1),
        (request()[:-5], REQUEST_S, 1),
        (request(), IDLE_S, 0),
    ],
    ids=["nothing", "head", "body", "next"],
)
def test_who_dawdles_is_cut_off(tmp_path: Path, begun: bytes, after_s: float, counted: int) -> None:
    slowly(tmp_path, begun, after_s, counted)


def test_a_drip_of_bytes_buys_no_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        async with standing([options(tmp_path)], Shelf().keep, clock=clock) as site:
            reader, writer = await site.dial()
            ending = asyncio.create_task(reader.read())
            for byte in request()[: int(REQUEST_S) + 2]:
                writer.write(bytes([byte]))
                await _tick(clock, 1)
            assert await ending == b""
            assert site.counts["", "slow"] == 1
            writer.close()

    in_time(scenario)


def test_a_handshake_that_never_comes_is_cut_off(tmp_path: Path, authority: Authority) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        source = options(tmp_path, certificate=authority.issue())
        async with standing([source], Shelf().keep, authority, clock) as site:
            site.client = None
            reader, writer = await site.dial()
            ending = asyncio.create_task(reader.read())
            await _tick(clock, REQUEST_S - 2)
            assert not ending.done()
            await _tick(clock, 4)
            assert await ending == b""
            writer.close()

    in_time(scenario)


def test_a_crowd_of_idle_callers_gives_way(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock, shelf = FakeClock(), Shelf()
        async with standing([options(tmp_path)], shelf.keep, clock=clock) as site:
            crowd = [await site.dial() for _ in range(CONNECTIONS_MAX)]
            posting = asyncio.create_task(site.post())
            first = asyncio.create_task(crowd[0][0].read())
            await _tick(clock, IDLE_LEAST_S + 2)
            assert (await posting).status_code == 200
            assert await first == b""  # the first to come is the first to go
            for _, writer in crowd:
                writer.close()

    in_time(scenario)


def test_a_crowd_of_busy_callers_is_served_in_turn(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        shelf.open.clear()
        async with standing([options(tmp_path)], shelf.keep) as site:
            posting = [asyncio.create_task(site.said(request(READING, "Connection: close"))) for _ in range(100)]
            await shelf.busy.wait()
            shelf.open.set()
            said = await asyncio.gather(*posting)
            assert all(text.startswith(b"HTTP/1.1 200 ") for text in said)
            assert len(shelf.arrivals) == 100

    in_time(scenario)


def test_who_leaves_before_the_answer_harms_nobody(tmp_path: Path) -> None:
    async def attack(site: Site, shelf: Shelf) -> None:
        shelf.open.clear()
        for _ in range(10):
            _, writer = await site.dial()
            writer.write(request())
            await shelf.busy.wait()
            writer.transport.abort()
        shelf.open.set()
        await shelf.has(10)

    against(tmp_path, attack)


_PARTS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        (
            *(b"POST ", b"GET ", b"HEAD ", PATH.encode(), b" HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"0\r\n\r\n"),
            *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"),
            *(b"Authorization: Bearer ", TOKEN.encode(), b"Content-Encoding: gzip\r\n", b"Upgrade: h2c\r\n"),
            *(READING, request(), in_chunks(b"a")),
        )
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PARTS, max_size=12))
def test_no_bytes_end_the_listener(endless: "Endless", parts: list[bytes]) -> None:
    endless.throw(b"".join(parts))


class Endless:
    """One listener for many examples."""

    def __init__(self, loop: asyncio.AbstractEventLoop, site: Site) -> None:
        self._loop = loop
        self._site = site

    def throw(self, sent: bytes) -> None:
        """Send, and ask afterwards whether the listener still answers."""

        async def scenario() -> None:
            async with asyncio.timeout(10):
                said = await self._site.said(sent, closes=True)
                assert not said or said.startswith(b"HTTP/1.1 ")
                alive = await self._site.said(request(READING, "Connection: close"))
                assert alive.startswith(b"HTTP/1.1 200 ")
                assert not self._site.counts["", "fault"]

        self._loop.run_until_complete(scenario())


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Endless]:
    loop = asyncio.new_event_loop()
    standing_here = standing([options(tmp_path)], Shelf().keep)
    yield Endless(loop, loop.run_until_complete(standing_here.__aenter__()))
    loop.run_until_complete(standing_here.__aexit__(None, None, None))
    loop.close()


def test_an_address_that_is_taken_is_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            link = LinkState("stel-cloud", "webhook")
            source = options(tmp_path, port=other.getsockname()[1])
            with pytest.raises(LinkLost, match="is taken by another program"):
                await listen([source], Shelf().keep, HubClock(), [link], lambda *_: None)
            assert not link.is_up
            assert not link.needs_person

    in_time(scenario)


def test_files_that_are_no_certificate_ask_for_a_person(tmp_path: Path, authority: Authority) -> None:
    async def scenario() -> None:
        files = authority.issue()
        files.cert.write_text("no certificate")
        link = LinkState("stel-cloud", "webhook")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        source = options(tmp_path, port=port, certificate=files)
        with pytest.raises(Refused, match="cannot be used"):
            await listen([source], Shelf().keep, HubClock(), [link], lambda *_: None)
        assert link.needs_person
        assert AUTHORIZED["Authorization"] not in (link.why or "")

    in_time(scenario)
