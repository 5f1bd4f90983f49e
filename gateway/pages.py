"""GET /metrics and /healthz on loopback: the smallest HTTP server that a scraper needs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.metrics import CONTENT_TYPE

_REQUEST_S = 5.0  # a client that takes longer to ask is not a scraper
_REQUEST_BYTES_MAX = 8_192


@asynccontextmanager
async def serving(host: str, port: int, metrics: Callable[[], Awaitable[str]]) -> AsyncIterator[None]:
    """Answer GET /metrics and GET /healthz while the context lasts."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _response(head, metrics))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # not a scraper, or one that left: nothing of ours depends on it
        finally:
            writer.close()

    server = await asyncio.start_server(talk, host, port, limit=_REQUEST_BYTES_MAX)
    try:
        yield
    finally:
        server.close()


async def _response(head: bytes, metrics: Callable[[], Awaitable[str]]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.split(b" ")[0].split(b"?")[0]
    if method != b"GET":
        return _http("405 Method Not Allowed", "Only GET is answered.\n", "text/plain")
    if path == b"/metrics":
        return _http("200 OK", await metrics(), CONTENT_TYPE)
    if path == b"/healthz":
        return _http("200 OK", "ok\n", "text/plain")
    return _http("404 Not Found", "Only /metrics and /healthz are here.\n", "text/plain")


def _http(status: str, body: str, kind: str) -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + content
