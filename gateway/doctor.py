"""
Everything a technician would check, each line with its remedy.

Asked of the running daemon where there is one; where there is none, of the store, the network and the files themselves.
"""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.load import Options
from drivers.transports.mqtt_options import MqttOptions
from gateway.attention import CLOCK, NOT_RUNNING
from gateway.clock import HubClock
from gateway.control import asked
from gateway.core.errors import GatewayError
from gateway.core.secret import SecretRef
from uploader.options import BearerAuth, MtlsAuth, OAuth2Auth, UploadOptions

_CONNECT_S = 5.0
_DAY_S = 86_400
_EXPIRY_WARN_DAYS = 30
# SQLite's WAL-reset corruption bug lives in 3.7.0 to 3.51.2 (fixed in 3.51.3, March 2026).
_SQLITE_SOUND = (3, 51, 3)


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Line:
    """One check: what was looked at, how it is, and what to do where it is not well."""

    what: str
    state: State
    said: str


async def examine(options: Options) -> AsyncIterator[Line]:
    """Every check, one after the other."""
    yield Line("configuration", State.OK, "It can be read, and nothing in it contradicts.")
    yield _clock()
    for line in _secrets(options):
        yield line
    yield _disk(options)
    status = await _status(options)
    if isinstance(status, Line):
        yield status
        return
    for line in _daemon(status):
        yield line
    for source in options.mqtt:
        yield await _reach(f"broker {source.name}", source.host, source.port, _broker_tls(source))
    if options.upload:
        yield await _backend(options.upload)
    for sentence in status["needs_person"]:
        if sentence not in (NOT_RUNNING, CLOCK):  # each has its line above
            yield Line("needs a person", State.FAIL, sentence)


def _clock() -> Line:
    if HubClock().synchronised():
        return Line("clock", State.OK, "It is synchronised.")
    return Line("clock", State.WARN, CLOCK)


def _secrets(options: Options) -> Iterator[Line]:
    for name, secret in _named_secrets(options):
        try:
            secret.read()
        except GatewayError as error:
            yield Line(name, State.FAIL, str(error))
            continue
        if secret.open_to_others():
            yield Line(name, State.WARN, f"Every user of this machine can read it; chmod 600 {secret.path}.")
        else:
            yield Line(name, State.OK, "It is there, and only its owner can read it.")


def _named_secrets(options: Options) -> Iterator[tuple[str, SecretRef]]:
    if options.buffer.key:
        yield "key of the store", options.buffer.key
    match options.upload.auth if options.upload else None:
        case BearerAuth(token=token):
            yield "upload token", token
        case OAuth2Auth(client_secret=secret):
            yield "upload client secret", secret
        case _:
            pass
    for source in options.mqtt:
        if source.password:
            yield f"password of {source.name}", source.password


def _disk(options: Options) -> Line:
    folder = next(parent for parent in options.buffer.path.parents if parent.exists())
    free, wanted = shutil.disk_usage(folder).free, options.buffer.size_max_bytes
    if free >= wanted:
        return Line("disk", State.OK, f"{free / 1e9:.1f} GB are free.")
    said = f"{free / 1e6:.0f} MB are free, and size_max_mb allows {wanted / 1e6:.0f}; free some, or lower it."
    return Line("disk", State.WARN, said)


async def _status(options: Options) -> dict[str, Any] | Line:
    """The daemon's status, or the store's where none runs, or why neither can be had."""
    try:
        answer = await asked(options.buffer.path, {"do": "status"})
        if answer is not None:
            return answer
        if not options.buffer.path.exists():
            return Line("store", State.WARN, "There is none yet; the first start of the daemon makes it.")
        from gateway.wiring import local_desk  # the store and its libraries, only where no daemon answers

        async with local_desk(options) as desk:
            return await desk.ask({"do": "status"})
    except GatewayError as error:
        return Line("store", State.FAIL, str(error))


def _daemon(status: dict[str, Any]) -> Iterator[Line]:
    if status["running"]:
        yield Line("daemon", State.OK, f"It runs since {status['hub']['started_at']}.")
    else:
        yield Line("daemon", State.WARN, NOT_RUNNING)
    buffer = status["buffer"]
    full = "It takes nothing new; what is full is said below."
    yield Line(
        "store", State.FAIL if buffer["is_full"] else State.OK, full if buffer["is_full"] else _store_said(buffer)
    )
    version = tuple(int(part) for part in buffer["sqlite_version"].split("."))
    sound = version >= _SQLITE_SOUND
    old = "It has a bug that can damage the store; install the wheels of requirements/run.txt."
    yield Line(
        f"SQLite {buffer['sqlite_version']}", State.OK if sound else State.FAIL, "It is sound." if sound else old
    )


def _store_said(buffer: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in buffer["records"].items() if count) or "nothing"
    return f"It opens with its key and holds {counts}."


async def _backend(upload: UploadOptions) -> Line:
    parts = urlsplit(upload.url)
    secure = parts.scheme == "https"
    mine = (upload.auth.cert, upload.auth.key) if isinstance(upload.auth, MtlsAuth) else (None, None)
    tls = (upload.ca, *mine) if secure else None
    return await _reach("backend", parts.hostname or "", parts.port or (443 if secure else 80), tls)


def _broker_tls(source: MqttOptions) -> tuple[Path | None, Path | None, Path | None] | None:
    return (source.ca, source.cert, source.key) if source.tls else None


async def _reach(what: str, host: str, port: int, tls: tuple[Path | None, Path | None, Path | None] | None) -> Line:
    """Whether something answers there, and for how long its certificate still holds."""
    try:
        context = _context(tls) if tls else None
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError:
        return Line(
            what, State.FAIL, "It answers, and its certificate or ours is not accepted; check ca, cert and key."
        )
    except (OSError, TimeoutError):
        return Line(what, State.FAIL, "It cannot be reached; check the network, and the address in the configuration.")
    certificate = writer.get_extra_info("peercert")
    writer.close()
    return Line(what, *_expiry(certificate))


def _context(tls: tuple[Path | None, Path | None, Path | None]) -> ssl.SSLContext:
    ca, cert, key = tls
    context = ssl.create_default_context(cafile=ca)
    if cert and key:
        context.load_cert_chain(cert, key, password="")
    return context


def _expiry(certificate: dict[str, Any] | None) -> tuple[State, str]:
    if not certificate or "notAfter" not in certificate:
        return State.OK, "It answers."
    left_s = ssl.cert_time_to_seconds(certificate["notAfter"]) - HubClock().now().utc_ms / 1000
    days = int(left_s // _DAY_S)
    if days < _EXPIRY_WARN_DAYS:
        return State.WARN, f"It answers; its certificate ends in {days} days and must be renewed there."
    return State.OK, f"It answers; its certificate holds for {days} days."
