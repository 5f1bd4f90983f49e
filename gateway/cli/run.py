"""`run`: the daemon."""

import argparse
import asyncio
import contextlib
import signal

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
    stopped = asyncio.Event()

    def stop() -> None:
        if serving and not stopped.is_set():
            stopped.set()
            serving.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await serve(options, HubClock())
