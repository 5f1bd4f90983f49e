"""
HTTP/1.1 on one connection, spoken by h11: requests in, answers out, everything within limits.

Knows nothing of readings. What goes wrong on the wire comes back as the Answer it deserves.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import h11

# A vendor's request line and fields take one or two KiB.
HEAD_BYTES_MAX = 16_384
# A refused body is read this far and thrown away, so that its sender gets to read the answer (RFC 9112, 9.6).
LINGER_BYTES_MAX = 1_048_576
# Small, because a head is measured only where it is still incomplete: it is refused after two of these at most.
_READ_BYTES = 16_384
# A body in single bytes, each a chunk of its own, costs far more than it weighs.
_PIECES_MAX = 4_096
_UNFINISHED = frozenset({h11.IDLE, h11.SEND_BODY, h11.ERROR})
_GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a caller hears: a status and one plain sentence.

    reason  counts a refusal
    ends    nothing that follows on this connection can be trusted
    """

    status: int
    sentence: str
    fields: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """The line and the fields of a request; field names in lower case."""

    method: str
    path: str
    fields: Mapping[str, tuple[bytes, ...]]

    def field(self, name: str) -> bytes | None:
        """The value of a field that comes exactly once."""
        found = self.fields.get(name.lower(), ())
        return found[0] if len(found) == 1 else None


TOO_LARGE = Answer(413, "The body is larger than this gateway takes.", reason="size")
_SMUGGLED = Answer(400, "The request gives the length of its body in two ways.", reason="malformed", ends=True)
_OTHER_VERSION = Answer(505, "This gateway speaks HTTP/1.1.", reason="malformed", ends=True)
_OTHER_CODING = Answer(
    415, "The body is in a coding this gateway cannot read; send it plain.", (("Accept-Encoding", "gzip"),), "coding"
)


class Exchange:
    """One connection. Call in order, once per request: `begins`, `head`, perhaps `body`, `answer`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, date: Callable[[], str]) -> None:
        self._reader = reader
        self._writer = writer
        self._date = date
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._method = ""
        self._has_body = False

    async def begins(self) -> bool:
        """Whether another request begins; waits for its first byte."""
        if self._http.trailing_data[0]:
            return True
        self._http.receive_data(first := await self._reader.read(_READ_BYTES))
        return bool(first)

    async def head(self) -> Head | Answer | None:
        """The head of the request; None where the caller left."""
        self._method = ""
        event = await self._event()
        if not isinstance(event, h11.Request):
            return event if isinstance(event, Answer) else None
        self._method = event.method.decode("ascii")
        fields: dict[str, tuple[bytes, ...]] = {}
        for name, value in event.headers:
            fields[name.decode("ascii")] = (*fields.get(name.decode("ascii"), ()), value)
        self._has_body = "content-length" in fields or "transfer-encoding" in fields
        if "content-length" in fields and "transfer-encoding" in fields:
            return _SMUGGLED
        if not event.http_version.startswith(b"1."):
            return _OTHER_VERSION
        return Head(self._method, _path(event.target), fields)

    async def body(self, head: Head, most: int) -> bytes | Answer | None:
        """The body as it was sent, at most `most` bytes; None where the caller left."""
        if int(head.field("content-length") or 0) > most:
            return TOO_LARGE
        if self._http.they_are_waiting_for_100_continue:
            self._writer.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        found = bytearray()
        for _ in range(_PIECES_MAX):
            event = await self._event()
            if isinstance(event, h11.EndOfMessage):
                return bytes(found)
            if not isinstance(event, h11.Data):
                return event if isinstance(event, Answer) else None
            found += event.data
            if len(found) > most:
                break
        return TOO_LARGE

    async def answer(self, answer: Answer) -> bool:
        """Send it; whether the connection may carry another request."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        if self._http.their_state is h11.SEND_BODY and not self._has_body:
            self._http.next_event()  # whole with its head: h11 says so without another byte
        is_whole = self._http.their_state not in _UNFINISHED
        is_coming = not is_whole and not self._http.they_are_waiting_for_100_continue
        self._writer.write(self._packed(answer, closing=answer.ends or not is_whole))
        await self._writer.drain()
        if is_coming and not answer.ends:
            await self._discard()
        return is_whole and self._turned()

    def _turned(self) -> bool:
        """Make ready for another request, where both sides are done and neither said it would close."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def _packed(self, answer: Answer, *, closing: bool) -> bytes:
        content = f"{answer.sentence}\n".encode()
        fields = [
            ("Date", self._date()),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(content))),
            *answer.fields,
        ]
        if closing:
            fields.append(("Connection", "close"))
        events: list[h11.Event] = [h11.Response(status_code=answer.status, headers=fields)]
        if self._method != "HEAD":
            events.append(h11.Data(data=content))
        return b"".join(self._http.send(event) or b"" for event in [*events, h11.EndOfMessage()])

    async def _discard(self) -> None:
        left = LINGER_BYTES_MAX
        for _ in range(_PIECES_MAX):
            event = await self._event()
            if not isinstance(event, h11.Data):
                return
            left -= len(event.data)
            if left < 0:
                return

    async def _event(self) -> h11.Event | Answer | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_READ_BYTES))
        except h11.RemoteProtocolError as error:
            sentence = "This is not a request this gateway can read; it speaks HTTP/1.1."
            return Answer(error.error_status_hint, sentence, reason="malformed", ends=True)
        return event


def unpacked(head: Head, body: bytes, most: int) -> bytes | Answer:
    """
    The body without its content coding.

    What says gzip and is none, or has something behind its end, stays as it came: kept, for a person to look at.
    """
    coding = b",".join(head.fields.get("content-encoding", ())).strip().lower()
    if coding in (b"", b"identity"):
        return body
    if coding not in (b"gzip", b"x-gzip"):
        return _OTHER_CODING
    inflating = zlib.decompressobj(_GZIP)
    try:
        plain = inflating.decompress(body, most + 1)
    except zlib.error:
        return body
    if len(plain) > most:
        return TOO_LARGE
    return plain if inflating.eof and not inflating.unused_data else body


def _path(target: bytes) -> str:
    """The path of a request target, without its query; of an absolute one too (RFC 9112, 3.2.2)."""
    text = target.decode("latin-1").partition("?")[0]
    if text.startswith("/"):
        return text
    authority = text.partition("://")[2]
    return "/" + authority.partition("/")[2]
