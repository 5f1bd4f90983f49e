"""
A billing backend that keeps the contract and misbehaves as told, in two bodies.

    Books        what it remembers: the same for both
    FakeCloud    stands where uploader.client stands; no network
    HttpsCloud   a real server with TLS, for the real client

tests/uploader/test_cloud.py holds both to one contract, through the real client.
"""

import asyncio
import contextlib
import gzip
import http.server
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from gateway.core.errors import LinkLost, LinkTimeout
from uploader.envelope import Parcel
from uploader.verdict import ANSWER_BYTES_MAX, Answer

OK = "ok"
LOST = "lost"  # the connection breaks, nothing was taken
LOST_AFTER_COMMIT = "lost after commit"  # taken, but the answer never arrives
RESET = "reset"  # taken; a reset in the middle of the answer
SILENT = "silent"  # no answer within the hub's patience
PORTAL = "portal"  # a captive portal's page with status 200
HUGE = "huge"  # an answer without end
PACKED = "packed"  # an answer compressed though nobody asked for it
OTHER_BATCH = "other batch"  # an answer to another batch
HALF = "half"  # results for every second record
NONE = "none"  # no results at all
ASKS = "asks"  # everything taken, and records asked for that are missing
Say = int | str

ANSWERED = (OK, PORTAL, HUGE, PACKED, OTHER_BATCH, HALF, NONE, ASKS)
UNANSWERED = (LOST, LOST_AFTER_COMMIT, RESET, SILENT)


@dataclass
class Books:
    """What a backend remembers. `refuses` are ids it refuses by result; `poison` are ids it answers 422 for."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    arrivals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()
    poison: frozenset[str] = frozenset()
    missing: list[list[int]] = field(default_factory=list)
    retry_after: str = "1"
    quotes: str = ""

    def answer(self, key: str, body: bytes, say: Say) -> tuple[int, dict[str, str], bytes]:
        """Take the batch as `say` says; status, fields and body of the answer."""
        batch = json.loads(body)
        self._remember(key, batch["batch_id"], body)
        if isinstance(say, int):
            detail = json.dumps({"detail": f"said {say} {self.quotes}".strip()}).encode()
            return say, {"Retry-After": self.retry_after} if say in (429, 503) else {}, detail
        if any(record["record_id"] in self.poison for record in batch["records"]):
            return 422, {}, b'{"detail": "a record is not one"}'
        if say == PORTAL:
            return 200, {"Content-Type": "text/html"}, b"<html>Accept our terms</html>"
        if say == HUGE:
            return 200, {}, b" " * (ANSWER_BYTES_MAX + 1)
        plain = self._take(key, batch, say)
        return (200, {"Content-Encoding": "gzip"}, gzip.compress(plain)) if say == PACKED else (200, {}, plain)

    def _remember(self, key: str, batch_id: str, body: bytes) -> None:
        if key != batch_id:
            self.faults.append("Idempotency-Key is not the batch_id")
        if self.bodies.setdefault(key, body) != body:
            self.faults.append("a retry was not byte-identical")

    def _take(self, key: str, batch: dict[str, Any], say: Say) -> bytes:
        step = 2 if say == HALF else 1
        taken = [] if say == NONE else batch["records"][::step]
        results = [self._result(record) for record in taken]
        batch_id = "batch-of-another" if say == OTHER_BATCH else key
        missing = self.missing if say == ASKS else []
        return json.dumps({"batch_id": batch_id, "results": results, "missing": missing}).encode()

    def _result(self, record: dict[str, Any]) -> dict[str, str]:
        record_id = record["record_id"]
        self.arrivals[record_id] += 1
        if record_id in self.refuses:
            return {"record_id": record_id, "status": "refused", "reason": "not one of ours"}
        status = "duplicate" if record_id in self.records else "accepted"
        if self.records.setdefault(record_id, record) != record:
            self.faults.append("a record came back altered")
        return {"record_id": record_id, "status": status}


class FakeCloud:
    """Stands where the client stands: keeps the promises of uploader.loop.Sender."""

    def __init__(self, script: Callable[[int], Say] = lambda _number: OK) -> None:
        self.books = Books()
        self.requests: list[Parcel] = []
        self.stamped = 0
        self.answered = asyncio.Event()
        self._script = script

    async def send(self, parcel: Parcel) -> Answer:
        """The answer, or the error the client raises."""
        say = self._script(len(self.requests))
        self.requests.append(parcel)
        self.answered.set()
        await asyncio.sleep(0)
        if say == LOST:
            raise LinkLost("The connection to the backend broke before it answered.")
        if say == SILENT:
            raise LinkTimeout("The backend did not answer in time; the network may be slow or down.")
        status, fields, body = self.books.answer(parcel.batch_id, unpacked(parcel.headers, parcel.body), say)
        if say in (LOST_AFTER_COMMIT, RESET):
            raise LinkLost("The connection to the backend broke before it answered.")
        whole = len(body) <= ANSWER_BYTES_MAX and "Content-Encoding" not in fields
        kind = fields.get("Content-Type", "application/json")
        return Answer(status, body[:ANSWER_BYTES_MAX], kind, fields.get("Retry-After"), is_whole=whole)

    def stamp(self) -> object:
        """Changed by the test, as a person changes a token."""
        return self.stamped


def unpacked(headers: dict[str, str], body: bytes) -> bytes:
    """The content of a request."""
    coding = headers.get("Content-Encoding")
    if coding == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompress(body)
    return gzip.decompress(body) if coding == "gzip" else body


@dataclass
class Seen:
    """One request as the server saw it; field names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpsCloud:
    """
    The same backend as a real server; `tls` None serves plain http.

    `tokens` answers POST /token with these bearer tokens, one after the other.
    """

    def __init__(self, tls: ssl.SSLContext | None, script: Callable[[int], Say] = lambda _number: OK) -> None:
        self.books = Books()
        self.seen: list[Seen] = []
        self.connections = 0
        self.token_answers: Iterator[tuple[int, bytes]] = iter(())
        self.release = threading.Event()
        self._script = script
        self._tls = tls
        self._server = _Server(("127.0.0.1", 0), _desk_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where batches go."""
        return f"{'https' if self._tls else 'http'}://localhost:{self._server.server_address[1]}/batches/"

    @property
    def token_url(self) -> str:
        """Where tokens come from."""
        return self.url.replace("/batches/", "/token")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wrap(self, plain: socket.socket) -> socket.socket:
        """The connection, with TLS where the cloud has any."""
        self.connections += 1
        if self._tls is None:
            return plain
        wrapped = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        try:
            wrapped.settimeout(10.0)
            wrapped.do_handshake()
        except OSError:
            _drain(wrapped)
            raise
        return wrapped

    def next_say(self) -> Say:
        """What the script says for this request."""
        return self._script(sum(seen.path != "/token" for seen in self.seen) - 1)


def _drain(wrapped: ssl.SSLSocket) -> None:
    """Read what is still sent, then close: closing earlier would send RST, which can overtake the TLS alert."""
    with contextlib.suppress(OSError), socket.socket(fileno=wrapped.detach()) as plain:
        plain.settimeout(10.0)
        while plain.recv(65536):
            pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, *_: object) -> None:
        """A handshake that fails is what some tests are about."""


class _Desk(http.server.BaseHTTPRequestHandler):
    """One connection; `cloud` is set by `_desk_of`."""

    cloud: HttpsCloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 10.0

    def setup(self) -> None:
        self.request = self.cloud.wrap(self.request)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields = {name.lower(): value for name, value in self.headers.items()}
        self.cloud.seen.append(Seen(self.path, fields, body))
        if self.path == "/token":
            status, token = next(self.cloud.token_answers)
            self._answer(status, {}, token)
        else:
            self._batch(fields, body, self.cloud.next_say())

    def _batch(self, fields: dict[str, str], body: bytes, say: Say) -> None:
        if say == SILENT:
            self.cloud.release.wait()
        if say in (LOST, SILENT):
            self._hang_up()
            return
        content = unpacked({"Content-Encoding": fields.get("content-encoding", "")}, body)
        status, headers, answer = self.cloud.books.answer(fields["idempotency-key"], content, say)
        if say in (LOST_AFTER_COMMIT, RESET):
            self._hang_up(answer if say == RESET else b"")
        else:
            self._answer(status, headers, answer)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        common = {"Content-Type": "application/json", "Set-Cookie": "portal=1", "Location": "/elsewhere"}
        for name, value in (common | headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # who has read enough of an endless answer hangs up
            self.wfile.write(body)

    def _hang_up(self, begun: bytes = b"") -> None:
        self.close_connection = True
        if begun:
            half = begun[: len(begun) // 2]
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(begun) + half)
            self.wfile.flush()
            # Closing with a linger of zero sends RST instead of FIN.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
        self.request.close()


def _desk_of(cloud: HttpsCloud) -> type[_Desk]:
    return type("Desk", (_Desk,), {"cloud": cloud})
