"""What a vendor's client hears, over real TLS."""

import asyncio
import base64
import gzip
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.transports.webhook_options import Basic, Hmac, Token
from gateway.core.errors import StoreBroken, StoreFull
from gateway.core.reading import Capture, DeviceIdentity
from tests.peers.hub import Shelf, in_time
from tests.peers.webhook.site import (
    AUTHORIZED,
    PATH,
    READING,
    TOKEN,
    Authority,
    Site,
    options,
    request,
    secret,
    standing,
)

PAYLOAD_BYTES_MAX = 262_144


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_what_is_kept_is_answered_200(tmp_path: Path, authority: Authority) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        async with standing([options(tmp_path, certificate=authority.issue())], shelf.keep, authority) as site:
            answer = await site.post()
            assert (answer.status_code, answer.text) == (200, "Kept.\n")
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert "date" in answer.headers
            (arrival,) = shelf.arrivals
            assert (arrival.frame.payload, arrival.frame.topic, arrival.driver) == (READING, None, "stel")
            assert (arrival.transport, arrival.source, arrival.path) == ("webhook", "stel-cloud", Capture.DEVICE)
            assert not arrival.prompt
            assert site.links[0].is_up
            assert site.links[0].frames == 1
            assert not site.counts

    in_time(scenario)


def test_200_comes_after_keep_and_not_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        shelf.open.clear()
        async with standing([options(tmp_path)], shelf.keep) as site:
            posting = asyncio.create_task(site.post())
            await shelf.busy.wait()
            other = await site.post(b"", {}, site.url + "/other")  # the listener is at leisure meanwhile
            assert other.status_code == 404
            assert not posting.done()
            shelf.open.set()
            assert (await posting).status_code == 200

    in_time(scenario)


def test_what_comes_while_the_disk_is_busy_goes_as_one_group(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        shelf.open.clear()
        async with standing([options(tmp_path)], shelf.keep) as site:
            first = asyncio.create_task(site.post(b"first"))
            await shelf.busy.wait()
            bodies = [b"%d" % number for number in range(20)]
            sent = [await _sent(site, body) for body in bodies]
            assert (await site.post(b"", {}, site.url + "/other")).status_code == 404  # they have arrived by now
            shelf.open.set()
            assert (await first).status_code == 200
            for reader, writer in sent:
                assert (await reader.readline()) == b"HTTP/1.1 200 \r\n"
                writer.close()
            assert [len(group) for group in shelf.groups] == [1, 20]
            assert sorted(arrival.frame.payload for arrival in shelf.groups[1]) == sorted(bodies)

    in_time(scenario)


async def _sent(site: Site, body: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await site.dial()
    writer.write(request(body))
    return reader, writer


def test_a_full_store_is_503_and_the_next_try_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        shelf.error = StoreFull("The store is full.")
        async with standing([options(tmp_path)], shelf.keep) as site, site.caller() as caller:
            answer = await caller.post(site.url, content=READING, headers=AUTHORIZED)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
            shelf.error = None
            assert (await caller.post(site.url, content=READING, headers=AUTHORIZED)).status_code == 200
            assert site.counts["stel-cloud", "full"] == 1
            assert len(shelf.arrivals) == 1

    in_time(scenario)


def test_a_broken_store_ends_the_listener(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        shelf.error = StoreBroken("The disk is gone.")
        async with standing([options(tmp_path)], shelf.keep) as site:
            said = await site.said(request())
            assert b" 200 " not in said
            await asyncio.wait([site.task])
            assert isinstance(site.task.exception(), StoreBroken)

    in_time(scenario)


def test_a_fault_of_ours_costs_one_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        shelf.error = KeyError("a value")
        async with standing([options(tmp_path)], shelf.keep) as site:
            assert await site.said(request()) == b""
            assert site.counts["", "fault"] == 1
            shelf.error = None
            assert (await site.post()).status_code == 200

    in_time(scenario)


def _signed(body: bytes) -> str:
    return hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


WAYS = {
    "bearer": [{"Authorization": f"bearer {TOKEN}"}],
    "header": [{"X-Api-Key": TOKEN}],
    "basic": [{"Authorization": _basic(f"stel:{TOKEN}")}],
    "hmac": [{"X-Signature": _signed(READING)}, {"x-signature": f"sha256={_signed(READING).upper()}"}],
}
STRANGERS: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": TOKEN},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": "Bearer \xff\xfe"},
    {"Authorization": _basic(f"other:{TOKEN}")},
    {"Authorization": _basic("stel:")},
    {"Authorization": "Basic ====="},
    {"X-Api-Key": ""},
    {"X-Api-Key": f"Bearer {TOKEN}"},
    {"X-Signature": ""},
    {"X-Signature": _signed(READING + b" ")},
]


def _way(folder: Path, way: str) -> Token | Basic | Hmac:
    shared = secret(folder, TOKEN)
    ways: dict[str, Token | Basic | Hmac] = {
        "bearer": Token(shared),
        "header": Token(shared, "X-API-Key"),
        "basic": Basic("stel", shared),
        "hmac": Hmac(shared, "X-Signature"),
    }
    return ways[way]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_say_who_one_is(tmp_path: Path, way: str) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        async with standing([options(tmp_path, credential=_way(tmp_path, way))], shelf.keep) as site:
            for fields in WAYS[way]:
                assert (await site.post(fields=fields)).status_code == 200
            kept = len(shelf.arrivals)
            for fields in STRANGERS:
                answer = await site.post(fields={name: value.encode("latin-1") for name, value in fields.items()})  # type: ignore[misc] # httpx takes bytes as well
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].endswith('realm="webhook"')
            assert len(shelf.arrivals) == kept
            assert site.counts["stel-cloud", "credentials"] == len(STRANGERS)

    in_time(scenario)


def test_a_credential_that_comes_twice_is_nobodys(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with standing([options(tmp_path)], Shelf().keep) as site:
            said = await site.said(request(READING, f"Authorization: Bearer {TOKEN}", "Connection: close"))
            assert said.startswith(b"HTTP/1.1 401 ")

    in_time(scenario)


def test_a_token_is_changed_without_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with standing([options(tmp_path)], Shelf().keep) as site:
            assert (await site.post()).status_code == 200
            secret(tmp_path, "another")
            assert (await site.post()).status_code == 401
            assert (await site.post(fields={"Authorization": "Bearer another"})).status_code == 200

    in_time(scenario)


def test_a_body_in_gzip_is_signed_as_it_was_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        packed = gzip.compress(READING)
        async with standing([options(tmp_path, credential=_way(tmp_path, "hmac"))], shelf.keep) as site:
            fields = {"Content-Encoding": "gzip", "X-Signature": _signed(packed)}
            assert (await site.post(packed, fields)).status_code == 200
            assert shelf.arrivals[0].frame.payload == READING

    in_time(scenario)


@pytest.mark.parametrize(
    ("packed", "kept"),
    [
        (gzip.compress(b"x" * PAYLOAD_BYTES_MAX), b"x" * PAYLOAD_BYTES_MAX),
        (b"no gzip", b"no gzip"),
        (gzip.compress(READING)[:-4], gzip.compress(READING)[:-4]),
        (gzip.compress(READING) + b"more", gzip.compress(READING) + b"more"),
        (gzip.compress(b"x" * (PAYLOAD_BYTES_MAX + 1)), None),
        (gzip.compress(bytes(20_000_000)), None),
    ],
    ids=["whole", "none", "cut", "more", "large", "bomb"],
)
def test_what_says_gzip(tmp_path: Path, packed: bytes, kept: bytes | None) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        async with standing([options(tmp_path)], shelf.keep) as site:
            answer = await site.post(packed, {**AUTHORIZED, "Content-Encoding": "gzip"})
            assert answer.status_code == (413 if kept is None else 200)
            assert [arrival.frame.payload for arrival in shelf.arrivals] == ([] if kept is None else [kept])

    in_time(scenario)


def test_other_codings_are_415_and_other_types_are_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        async with standing([options(tmp_path)], shelf.keep) as site:
            answer = await site.post(fields={**AUTHORIZED, "Content-Encoding": "br"})
            assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")
            types = ["application/json", "text/plain", "application/x-www-form-urlencoded", "image/png", ";;;"]
            for kind in types:
                assert (await site.post(fields={**AUTHORIZED, "Content-Type": kind})).status_code == 200
            assert [arrival.frame.payload for arrival in shelf.arrivals] == [READING] * len(types)

    in_time(scenario)


def test_other_methods_and_paths(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        async with standing([options(tmp_path)], shelf.keep) as site, site.caller() as caller:
            for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
                answer = await caller.request(method, site.url, headers=AUTHORIZED)
                assert (answer.status_code, answer.headers["allow"]) == (405, "POST, HEAD")
            probe = await caller.head(site.url)
            assert (probe.status_code, probe.content) == (200, b"")
            for path in ("/", "/vendor", PATH + "/", "/VENDOR/STEL"):
                assert (await caller.post(f"http://localhost:{site.port}{path}", content=b"{}")).status_code == 404
            assert (await caller.post(site.url + "?userid=1", content=b"{}", headers=AUTHORIZED)).status_code == 200
            assert [arrival.frame.payload for arrival in shelf.arrivals] == [b"{}"]
            assert site.counts == {("stel-cloud", "method"): 6, ("", "path"): 4}

    in_time(scenario)


def test_several_sources_share_an_address(tmp_path: Path, authority: Authority) -> None:
    async def scenario() -> None:
        shelf, files = Shelf(), authority.issue()
        withings = DeviceIdentity(id="withings:00-24-e4-11-22-33")
        sources = [
            options(tmp_path, certificate=files),
            options(
                tmp_path,
                name="withings",
                path="/withings",
                driver="withings",
                credential=Token(secret(tmp_path, "w", "w")),
                device=withings,
                certificate=files,
            ),
        ]
        async with standing(sources, shelf.keep, authority) as site:
            base = f"https://localhost:{site.port}"
            assert (await site.post()).status_code == 200
            form = b"userid=1&appli=1&startdate=1700000000&enddate=1700000001"
            assert (await site.post(form, {"Authorization": "Bearer w"}, base + "/withings")).status_code == 200
            assert (await site.post(form, AUTHORIZED, base + "/withings")).status_code == 401
            first, second = shelf.arrivals
            assert (first.source, first.device) == ("stel-cloud", None)
            assert (second.source, second.driver, second.device) == ("withings", "withings", withings)
            assert second.frame.payload == form
            assert [link.frames for link in site.links] == [1, 1]

    in_time(scenario)


def test_a_secret_that_is_not_there_asks_for_a_person(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with standing([options(tmp_path)], Shelf().keep) as site:
            (tmp_path / "secret").unlink()
            assert (await site.post()).status_code == 503
            link = site.links[0]
            await _until(site, lambda: link.needs_person)
            assert link.is_up
            assert "cannot be read" in (link.why or "")
            secret(tmp_path, TOKEN)
            assert (await site.post()).status_code == 200
            await _until(site, lambda: not link.needs_person)
            assert link.why is None

    in_time(scenario)


async def _until(site: Site, is_so: Callable[[], bool]) -> None:
    """Once a condition holds; the listener looks at itself every second."""
    while not is_so():
        await asyncio.wait([site.task], timeout=0.05)


def test_a_renewed_certificate_serves_the_next_connection(tmp_path: Path, authority: Authority) -> None:
    async def scenario() -> None:
        files = authority.issue()
        async with standing([options(tmp_path, certificate=files)], Shelf().keep, authority) as site:
            before = await _certificate(site)
            assert before == await _certificate(site)
            old_key = files.key.read_bytes()
            authority.issue()
            new_key = files.key.read_bytes()
            files.key.write_bytes(old_key)  # renewed half: the pair does not fit
            assert await _certificate(site) == before
            await _until(site, lambda: site.links[0].needs_person)
            assert str(files.cert) in (site.links[0].why or "")
            files.key.write_bytes(new_key)
            after = await _certificate(site)
            assert after != before
            assert (await site.post()).status_code == 200
            await _until(site, lambda: not site.links[0].needs_person)

    in_time(scenario)


async def _certificate(site: Site) -> bytes:
    _, writer = await site.dial()
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return found
