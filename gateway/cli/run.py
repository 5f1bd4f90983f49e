"""`run`: the daemon."""

import argparse
import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from config.load import Options, load
from gateway import logs
from gateway.cli import config_path

_EXAMPLES = """\
Runs until SIGTERM or Ctrl-C, and stops cleanly within 5 seconds. Killing it loses nothing that was acknowledged.

  vitals-gateway --config gateway.toml run
  systemctl start vitals-gateway"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments: none but --config."""
    parser.epilog = _EXAMPLES


def run(arguments: argparse.Namespace) -> int:
    """Run until told to stop."""
    options = load(config_path(arguments))
    logs.set_up()
    asyncio.run(_until_stopped(options))
    return 0


async def _until_stopped(options: Options) -> None:
    from gateway.clock import HubClock
    from gateway.wiring import serve

    serving = asyncio.current_task()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Unawaited())
    stopped = asyncio.Event()

    def stop() -> None:
        if serving and not stopped.is_set():
            stopped.set()
            serving.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await serve(options, HubClock())


class _Unawaited(ThreadPoolExecutor):
    """
    What asyncio looks names up in, a thread for each: one that hangs keeps neither the others nor the end waiting.

    A name server behind a dead link takes half a minute to fail, and a pool waits for its threads when Python ends.
    Nothing that must be finished runs here: the store has threads of its own.
    """

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Begin at once."""
        promise: Future[Any] = Future()
        threading.Thread(target=_keep_promise, args=(promise, work, args, named), daemon=True).start()
        return promise

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nobody waits."""


def _keep_promise(promise: Future[Any], work: Callable[..., Any], args: Any, named: Any) -> None:
    if promise.set_running_or_notify_cancel():
        try:
            result = work(*args, **named)
        except BaseException as error:  # noqa: BLE001 -- handed to whoever waits, as a pool does
            promise.set_exception(error)
        else:
            promise.set_result(result)
