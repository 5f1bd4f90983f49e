"""
The daemon's API on a unix socket: one JSON line in, one out.

Commands talk to this and never to the file, so that there is one writer. When no daemon runs, a command opens the store
itself, under the store's lock, and asks the same `Desk` (see `gateway.wiring.local_desk`).
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.core.errors import BadInput, Exit, GatewayError, NotThere

Answer = dict[str, Any]
Ask = Callable[[dict[str, Any]], Awaitable[Answer]]

# A question is a short line; a replayed capture comes a frame at a time.
_LINE_BYTES_MAX = 1_048_576
_ANSWER_S = 30.0


def socket_path(store: Path) -> Path:
    """Where the daemon of this store listens."""
    return store.with_name(store.name + ".sock")


@asynccontextmanager
async def listening(store: Path, ask: Ask) -> AsyncIterator[None]:
    """Answer commands while the context lasts. Only the service's own user (and root) may connect."""
    path = socket_path(store)
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        with _short(path) as address:
            server = await asyncio.start_unix_server(_conversation(ask), address, limit=_LINE_BYTES_MAX)
    finally:
        os.umask(before)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def asked(store: Path, question: dict[str, Any]) -> Answer | None:
    """The running daemon's answer; None where none runs. Raises what it raised, as the same kind of error."""
    try:
        with _short(socket_path(store)) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=64 * _LINE_BYTES_MAX)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError as error:
        raise NotThere("This user may not talk to the daemon; run the command as root or as its user.") from error
    try:
        writer.write(json.dumps(question).encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), _ANSWER_S)
    except (OSError, TimeoutError) as error:
        raise NotThere("The daemon does not answer; look at its log, then restart it.") from error
    finally:
        writer.close()
    return _opened(line)


def _opened(line: bytes) -> Answer:
    try:
        answer: Answer = json.loads(line)
    except ValueError as error:
        raise NotThere("The daemon stopped while it was asked; ask again.") from error
    if "error" in answer:
        failure = GatewayError(answer["error"])
        failure.exit_code = Exit(answer["exit"])
        raise failure
    return answer


def _conversation(ask: Ask) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(ask, line), ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # the asker went away or sent a line beyond the limit: nothing of ours depends on it
        finally:
            writer.close()

    return talk


async def _answer(ask: Ask, line: bytes) -> Answer:
    try:
        question = json.loads(line)
        if not isinstance(question, dict):
            raise BadInput("A question is a JSON object.")
        return await ask(question)
    except GatewayError as error:
        return {"error": str(error), "exit": int(error.exit_code)}
    except ValueError:
        return {"error": "The question is not JSON.", "exit": int(Exit.DATA)}


class _short:  # noqa: N801 -- reads as a verb where it is used
    """A path that fits a socket address (108 bytes) however deep the folder: through the folder's descriptor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) < 100:
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._folder >= 0:
            os.close(self._folder)
