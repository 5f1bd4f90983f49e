"""The routes. Everything that waits for the disk runs in the store's one thread, so the loop stays free to answer."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from gateway.core.errors import NotThere
from uploader.receiver import content, delivery, intake, ledger, page, period, problem
from uploader.receiver.access import check_hub, check_person
from uploader.receiver.ledger import Ledger
from uploader.receiver.options import Options
from uploader.receiver.period import Question
from uploader.receiver.problem import Problem
from uploader.receiver.signature import Message, check_signature
from uploader.receiver.store import Store

_log = logging.getLogger(__name__)
_RETRY_AFTER_S = 10
# What is here is about patients: no cache keeps it, and pages load nothing from anywhere.
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

T = TypeVar("T")


class Backend:
    """The open store and its thread; the routes are its methods."""

    def __init__(self, options: Options, now_ms: Callable[[], int]) -> None:
        self._options = options
        self._now_ms = now_ms
        self._store = Store(options.store)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="receiver-store")

    async def _in_store(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Wait for the work in hand, then close the file."""
        await self._in_store(self._store.close)
        self._thread.shutdown()

    async def batches(self, request: Request) -> Response:
        """POST /api/v1/readings/batches/"""
        fields = _fields(request)
        check_hub(self._options.token, fields.get("authorization", ""))
        if fields.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(415, "Unknown media type", "A batch is application/json; send it as that.")
        sent = await _read(request, self._options.limits.content_bytes_max)
        message = _message(request, fields)
        return _answer(await self._in_store(lambda: self._take(sent, message)))

    def _take(self, sent: bytes, message: Message) -> bytes:
        """Everything between the bytes of a request and the bytes of its answer."""
        limits, fields = self._options.limits, message.fields
        if "content-digest" in fields:
            content.check_digest(sent, fields["content-digest"])
        body = content.decoded(sent, fields.get("content-encoding", ""), limits.body_bytes_max)
        batch = delivery.read(content.parse(body), fields.get("idempotency-key"), limits.records_max)
        public_key = self._options.public_keys.get(batch.hub)
        if public_key is not None:
            check_signature(message, public_key)
        return intake.take(self._store, batch, body, self._options.asking, self._now_ms())

    async def day_ledger(self, request: Request) -> Response:
        """GET /api/v1/patients/{ref}/days"""
        self._admit(request)
        found = await self._in_store(lambda: self._ledger(request))
        return _answer(json.dumps(ledger.as_json(found)).encode())

    def _ledger(self, request: Request) -> Ledger:
        return ledger.ledger(self._store.db, self._question(request, period.latest_30))

    def _question(self, request: Request, usual: Callable[[date], tuple[date, date]]) -> Question:
        """What is asked: the dates named, else the patient's period, else `usual` ones. Raises Problem 400, 404."""
        patient, query, db = request.path_params["ref"], request.query_params, self._store.db
        program = query.get("program", "RPM")
        if program not in {"RPM", "RTM"}:
            raise problem.bad_request("program is RPM or RTM.")
        latest = ledger.latest_date(db, patient, program)
        if latest is None:
            raise problem.not_found("No reading of this patient has arrived; check the reference.")
        current = period.period_at(db, patient, program, latest)
        dates = (current.first, current.last) if current else usual(latest)
        try:
            return Question(patient, program, *period.asked(query.get("from"), query.get("to"), dates))
        except ValueError as error:
            detail = f"from and to are dates like 2026-11-01, in order and at most {period.DAYS_MAX} days apart."
            raise problem.bad_request(detail) from error

    async def hubs(self, request: Request) -> Response:
        """GET /api/v1/hubs"""
        self._admit(request)
        found = await self._in_store(lambda: ledger.hubs(self._store.db))
        return _answer(json.dumps({"hubs": found}).encode())

    async def overview(self, request: Request) -> Response:
        """GET /"""
        self._admit(request)
        return _page(await self._in_store(self._overview))

    def _overview(self) -> str:
        return page.overview(ledger.patients(self._store.db), ledger.hubs(self._store.db))

    async def patient(self, request: Request) -> Response:
        """GET /patients/{ref}"""
        self._admit(request)
        return _page(await self._in_store(lambda: self._patient(request)))

    def _patient(self, request: Request) -> str:
        db, question = self._store.db, self._question(request, period.month_of)
        found = ledger.ledger(db, question)
        current = period.period_at(db, question.patient, question.program, question.first)
        return page.patient(found, ledger.readings(db, question, page.READINGS_MAX), current)

    async def health(self, _request: Request) -> Response:
        """GET /healthz: the store answers."""
        await self._in_store(lambda: self._store.db.execute("SELECT 1").fetchone())
        return Response(b"ok\n", media_type="text/plain", headers=_PRIVATE)

    def _admit(self, request: Request) -> None:
        fields = _fields(request)
        check_person(self._options.token, fields.get("authorization", ""), fields.get("host", ""))


def create_app(options: Options, now_ms: Callable[[], int]) -> Starlette:
    """
    The ASGI application; `now_ms` gives milliseconds since 1970, UTC.

    Opens the store at once, so that a store that cannot be opened stops the start.
    """
    backend = Backend(options, now_ms)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await backend.close()

    routes = [
        Route("/", backend.overview),
        Route("/healthz", backend.health),
        Route("/patients/{ref:path}", backend.patient),
        Route("/api/v1/hubs", backend.hubs),
        Route("/api/v1/patients/{ref:path}/days", backend.day_ledger),
        Route("/api/v1/readings/batches/", backend.batches, methods=["POST"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=_PROBLEMS)
    app.router.redirect_slashes = False
    return app


def _fields(request: Request) -> Mapping[str, str]:
    """Header fields by lower-case name; the values of a repeated field joined as RFC 9110, section 5.3, says."""
    fields: dict[str, str] = {}
    for name, value in request.headers.items():
        fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
    return fields


async def _read(request: Request, bytes_max: int) -> bytes:
    """The content, never more than `bytes_max`; raises Problem 413."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise problem.too_large(f"The content is larger than {bytes_max} bytes; send smaller batches.")
        parts.append(part)
    return b"".join(parts)


def _message(request: Request, fields: Mapping[str, str]) -> Message:
    url = request.url
    raw_path = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope["query_string"].decode("latin-1")
    return Message(request.method, str(url), url.netloc, url.scheme, raw_path.decode("latin-1"), query, fields)


def _answer(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers=_PRIVATE)


def _page(text: str) -> Response:
    return Response(text, media_type="text/html", headers={**_PRIVATE, "Content-Security-Policy": page.POLICY})


def _problem_response(error: Problem) -> Response:
    headers = {**_PRIVATE, **(error.headers or {})}
    return Response(error.body, error.status_code, media_type=problem.MEDIA_TYPE, headers=headers)


async def _on_problem(_request: Request, error: Problem) -> Response:
    return _problem_response(error)


async def _on_no_route(_request: Request, error: HTTPException) -> Response:
    """404 and 405, which the router raises."""
    detail = {404: "Nothing is at this address; see openapi.yaml.", 405: "This address does not take this method."}
    known = Problem(error.status_code, error.detail, detail.get(error.status_code, error.detail), headers=error.headers)
    return _problem_response(known)


async def _on_no_store(_request: Request, error: sqlite3.Error) -> Response:
    """The disk is full or the file cannot be written: nothing was kept, so the hub sends the same again later."""
    _log.error("The store could not keep or read; check the disk.", exc_info=error)
    return _problem_response(_unavailable("The backend's store cannot keep or read now; send the same again later."))


async def _on_no_token(_request: Request, error: NotThere) -> Response:
    _log.error("The token's file cannot be read; nobody can be let in.", exc_info=error)
    return _problem_response(_unavailable("The backend cannot read its token now; send the same again later."))


async def _on_gone(_request: Request, _error: ClientDisconnect) -> Response:
    """The client left in the middle of its request: nothing was kept, and nobody hears this answer."""
    return _problem_response(problem.bad_request("The content ended before its end."))


def _unavailable(detail: str) -> Problem:
    return Problem(503, "Not now", detail, headers={"Retry-After": str(_RETRY_AFTER_S)})


_Handle = Callable[[Request, Any], Awaitable[Response]]
_HANDLES: dict[type[Exception], _Handle] = {
    Problem: _on_problem,
    HTTPException: _on_no_route,
    sqlite3.Error: _on_no_store,
    NotThere: _on_no_token,
    ClientDisconnect: _on_gone,
}
_PROBLEMS: dict[Any, ExceptionHandler] = dict(_HANDLES)
