"""
One POST at a time, over one kept connection. The only module that knows httpx.

It goes straight to httpx's transport: no redirects, cookies, proxies or settings from the environment, and answers as
they came. Whatever httpx raises leaves as one of our errors (`translated`); the test of that map walks every error the
installed httpx has.
"""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway import __version__
from gateway.core.errors import BadCredentials, GatewayError, LinkLost, LinkTimeout, NotThere
from gateway.core.secret import SecretRef
from gateway.core.time import Clock
from uploader import tls
from uploader.auth import Credentials
from uploader.envelope import Parcel
from uploader.options import BearerAuth, OAuth2Auth, UploadOptions
from uploader.signing import load_key, signed
from uploader.verdict import ANSWER_BYTES_MAX, Answer

# httpx imports its command line and every decompressor that happens to be installed: 170 ms and 8 MiB for nothing here,
# where it neither runs as a command nor is asked for a compressed answer.
_UNUSED = ("httpx._main", "zstandard", "brotli", "brotlicffi")
_absent = [name for name in _UNUSED if name not in sys.modules and "httpx" not in sys.modules]
for _name in _absent:
    sys.modules[_name] = None  # type: ignore[assignment] # how Python is told that a module is not there
import httpx  # noqa: E402 -- after the lines that make it light

for _name in _absent:
    del sys.modules[_name]

_PIECE_BYTES = 64 * 1024  # sent under one timeout: with 30 s, a link of 2 kB/s still gets through
# A whole request, however its pieces trickle: the loop must give a sign of life before the watchdog's 300 s are over.
_REQUEST_S_MAX = 240.0
_CONNECTIONS = httpx.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=30.0)

Sign = Callable[[bytes], bytes]
FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError, OSError, UnicodeError)


class Client:
    """
    Sends parcels to one backend.

    `send` raises LinkLost or LinkTimeout where there was no answer, BadCredentials where a person must act.
    """

    def __init__(self, options: UploadOptions, hub_id: str, clock: Clock) -> None:
        self._options = options
        self._hub_id = hub_id
        self._clock = clock
        self._credentials = Credentials(options.auth, self._post, clock)
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._made_of: tls.Stamp = ()
        self._sign: Sign | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._close()

    async def send(self, parcel: Parcel) -> Answer:
        """The backend's answer to this parcel; a granted token that is refused is replaced once."""
        answer = await self._deliver(parcel)
        if answer.status == 401 and self._credentials.forget():
            answer = await self._deliver(parcel)
        return answer

    def stamp(self) -> tls.Stamp:
        """What changes when a person has replaced a certificate, key or secret."""
        return tls.stamp((*tls.files(self._options), *_secret_files(self._options)))

    async def _deliver(self, parcel: Parcel) -> Answer:
        token = await self._credentials.token()
        headers = parcel.headers | ({} if token is None else {"Authorization": f"Bearer {token}"})
        answer = await self._post(self._options.url, parcel.body, headers, sign=self._signer())
        return answer if token is None else _without(token, answer)

    def _signer(self) -> Sign | None:
        if self._options.sign_key is not None and self._sign is None:
            try:
                self._sign = load_key(self._options.sign_key)
            except NotThere as error:
                raise BadCredentials(str(error)) from error
        return self._sign

    async def _post(self, url: str, body: bytes, headers: dict[str, str], sign: Sign | None = None) -> Answer:
        try:
            transport = await self._open()
            request = self._request(url, body, headers)
            if sign is not None:
                created_s = self._clock.now().utc_ms // 1000
                request.headers.update(signed(headers, str(request.url), self._hub_id, created_s, sign))
            async with asyncio.timeout(_REQUEST_S_MAX):
                return await _exchange(transport, request)
        except FOREIGN as error:
            raise translated(error) from error

    def _request(self, url: str, body: bytes, headers: dict[str, str]) -> httpx.Request:
        own = {
            "User-Agent": f"vitals-gateway/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # a small answer packed into megabytes is an attack
            "Content-Length": str(len(body)),
        }
        timeout = httpx.Timeout(self._options.timeout_s).as_dict()  # connect, read, write and pool
        return httpx.Request("POST", url, headers=own | headers, content=_pieces(body), extensions={"timeout": timeout})

    async def _open(self) -> httpx.AsyncHTTPTransport:
        """The connection's home; a new one once a certificate or key has changed."""
        made_of = tls.stamp(tls.files(self._options))
        if self._transport is None or made_of != self._made_of:
            await self._close()
            context = tls.context(self._options)
            self._transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=_CONNECTIONS)
            self._made_of = made_of
        return self._transport

    async def _close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None


def translated(error: Exception) -> GatewayError:
    """Our error for one of FOREIGN: who is at fault, and what to do."""
    refusal = tls.fault(error)
    if refusal is not None:
        return BadCredentials(refusal)
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return LinkTimeout("The backend did not answer in time; the network may be slow or down.")
    if isinstance(error, httpx.ConnectError):
        return LinkLost("The backend cannot be reached; check the network and upload.url.")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return LinkLost("The address in upload.url cannot be used; check it.")
    if isinstance(error, ssl.SSLError):
        return LinkLost("The backend does not speak TLS as this hub does; check upload.url.")
    return LinkLost("The connection to the backend broke before it answered.")


async def _exchange(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> Answer:
    response = await transport.handle_async_request(request)
    try:
        body, is_whole = await _body(response)
    finally:
        await response.aclose()
    plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return Answer(
        response.status_code,
        body,
        response.headers.get("Content-Type", ""),
        response.headers.get("Retry-After"),
        is_whole=is_whole and plain,
    )


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """The answer's bytes up to the limit, and whether that is all of them."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            return bytes(body[:ANSWER_BYTES_MAX]), False
    return bytes(body), True


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _without(token: str, answer: Answer) -> Answer:
    """The answer, even if it quotes our token: its words may be kept as a reason."""
    secret = token.encode("ascii")
    if secret not in answer.body:
        return answer
    body = answer.body.replace(secret, b"[redacted]")
    return Answer(answer.status, body, answer.content_type, answer.retry_after, is_whole=answer.is_whole)


def _secret_files(options: UploadOptions) -> tuple[Path, ...]:
    refs = [options.sign_key]
    if isinstance(options.auth, BearerAuth):
        refs.append(options.auth.token)
    elif isinstance(options.auth, OAuth2Auth):
        refs.append(options.auth.client_secret)
    return tuple(path for ref in refs if ref is not None and (path := _path(ref)) is not None)


def _path(ref: SecretRef) -> Path | None:
    try:
        return ref.path
    except NotThere:
        return None
