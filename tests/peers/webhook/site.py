"""A listener as a test runs it: real sockets, real TLS, a shelf that keeps, callers of every kind."""

import asyncio
import json
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import trustme

from drivers.contract import Keep
from drivers.transports.webhook import serve
from drivers.transports.webhook_options import Certificate, Token, WebhookOptions
from gateway.clock import HubClock
from gateway.core.link import LinkState
from gateway.core.secret import SecretRef
from gateway.core.time import Clock

TOKEN = "a-token-of-the-vendor"
PATH = "/vendor/stel"
READING = b'{"id": "1", "systolic": 120}'  # the transport looks at no byte of it
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


class Authority:
    """A certificate authority of the test's own, and the files it issues."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.root = folder / "ca.pem"
        self.root.write_bytes(self._ca.cert_pem.bytes())
        self.client = ssl.create_default_context()
        self._ca.configure_trust(self.client)

    def issue(self, name: str = "hook") -> Certificate:
        """A certificate for localhost in files of this name, new or in place of the old ones."""
        issued = self._ca.issue_cert("localhost", "127.0.0.1")
        files = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        files.cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        files.key.write_bytes(issued.private_key_pem.bytes())
        return files


def secret(folder: Path, text: str, name: str = "secret") -> SecretRef:
    """A secret in a file."""
    (folder / name).write_text(text, encoding="utf-8")
    return SecretRef("file", str(folder / name))


def options(folder: Path, **changed: Any) -> WebhookOptions:
    """One source, with a token."""
    given = {"name": "stel-cloud", "host": "127.0.0.1", "port": 0, "path": PATH, "driver": "stel"}
    given["credential"] = Token(secret(folder, TOKEN))
    return WebhookOptions(**{**given, **changed})


class Site:
    """A running listener: where it stands, what it counted, and how it is called."""

    def __init__(self, port: int, sources: Sequence[WebhookOptions], client: ssl.SSLContext | None) -> None:
        self.port = port
        self.links = [LinkState(source.name, "webhook") for source in sources]
        self.counts: Counter[tuple[str, str]] = Counter()
        self.counted = asyncio.Event()
        self.client = client
        self.task: asyncio.Task[None]

    def count(self, source: str, reason: str) -> None:
        """As the daemon's counter."""
        self.counts[source, reason] += 1
        self.counted.set()

    async def has_counted(self, source: str, reason: str, times: int = 1) -> None:
        """Once that was counted so many times."""
        while self.counts[source, reason] < times:
            self.counted.clear()
            await self.counted.wait()

    @property
    def url(self) -> str:
        """The address of the usual path."""
        return f"{'https' if self.client else 'http'}://localhost:{self.port}{PATH}"

    def caller(self) -> httpx.AsyncClient:
        """A real HTTP client that trusts the authority."""
        return httpx.AsyncClient(verify=self.client or True, trust_env=False, timeout=20)

    async def post(self, body: bytes = READING, fields: dict[str, str] | None = None, url: str = "") -> httpx.Response:
        """One POST over a connection of its own."""
        async with self.caller() as caller:
            return await caller.post(url or self.url, content=body, headers=AUTHORIZED if fields is None else fields)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection, with TLS where the site has it."""
        return await asyncio.open_connection("localhost", self.port, ssl=self.client, family=socket.AF_INET)

    async def said(self, sent: bytes, *, closes: bool = False) -> bytes:
        """Everything the site answers to raw bytes until it closes; `closes` half-closes our side after them."""
        reader, writer = await self.dial()
        try:
            writer.write(sent)
            if closes:
                writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def standing(
    sources: Sequence[WebhookOptions], keep: Keep, authority: Authority | None = None, clock: Clock | None = None
) -> AsyncIterator[Site]:
    """A listener on a port of its own while the body lasts."""
    door = socket.create_server(("127.0.0.1", 0))
    door.setblocking(False)
    site = Site(door.getsockname()[1], sources, authority.client if authority else None)
    site.task = asyncio.create_task(serve(door, sources, keep, clock or HubClock(), site.links, site.count))
    try:
        yield site
    finally:
        site.task.cancel()
        await asyncio.wait([site.task])
        door.close()


def stel(number: int) -> bytes:
    """A blood pressure as a STEL hub sends it (tests/vectors/stel.toml), each with an id and time of its own."""
    moment = f"2026-11-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00+00:00"
    values = {
        "systolic": {"value": 120, "unit": "mmHg"},
        "diastolic": {"value": 80, "unit": "mmHg"},
        "heartRate": {"value": 87, "unit": "bpm"},
        "irregularPulse": {"value": False, "unit": None},
    }
    message = {
        "id": f"35263822-7b2e-4683-8720-{number:012d}",
        "meta": {"schemaVersion": "stel-v2.0"},
        "hubId": "ABCDE12345",
        "transmissionTime": moment,
        "device": {"mac": "AB:CD:EF:12:34:5E", "make": None, "model": "BP Cuff"},
        "measure": {"type": "bloodpressure", "time": moment, "data": values},
    }
    return json.dumps(message).encode()


def request(body: bytes = READING, *fields: str, method: str = "POST", path: str = PATH) -> bytes:
    """A request on the wire, authorised, its length given."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", *fields]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
