"""
The command `vitals-gateway`.

Each command is a module with `add_arguments(parser)` and `run(arguments) -> int`, imported only when it is asked for:
`decode` must not pay for the uploader. Exit codes follow sysexits (`gateway.core.errors.Exit`).
"""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path

from gateway import __version__
from gateway.core.errors import Exit, GatewayError, gravest

# name -> (module, what it does); the order is the order of a day: look, run, see, mend
COMMANDS = {
    "demo": ("demo", "the whole path on this machine, with nothing to install or configure"),
    "run": ("run", "the daemon: listen to every configured source, keep, upload"),
    "status": ("status", "one screen: sources, last readings, buffer, uploader, what needs a person"),
    "doctor": ("doctor", "everything a technician would check, each line with its remedy"),
    "queue": ("queue", "what waits, what the backend refused and why; send a refused record again"),
    "decode": ("decode", "frames to samples, without hub or configuration"),
    "drivers": ("drivers", "the catalogue: what can be read, how well the protocol is known, who says so"),
    "setup": ("setup", "the technician's visit: device, training, consent, and a test reading the backend accepts"),
    "assign": ("assign", "say who wears a device, from when"),
    "unassign": ("unassign", "end an assignment"),
    "enrol": ("enrol", "begin or end a patient's enrolment"),
    "days": ("days", "a patient's period, date by date: what counts, why not, what is needed"),
    "evidence": ("evidence", "the audit packet of a patient and period; verify one"),
    "enter": ("enter", "keep a value typed by a person: shown, never counted"),
    "replay": ("replay", "run a capture of frames through the real path, marked as synthetic"),
    "assess": ("assess", "evaluate an evidence bundle offline"),
    "completion": ("completion", "print the completion script of a shell"),
}
CONFIG_DEFAULT = "/etc/vitals-gateway/gateway.toml"
_EPILOG = """\
Every reading command takes --json. The configuration is --config PATH, else $VITALS_GATEWAY_CONFIG, else
/etc/vitals-gateway/gateway.toml. Try `vitals-gateway demo` first; `vitals-gateway COMMAND --help` shows examples."""


class _Help(argparse.HelpFormatter):
    """Prose wraps at the terminal's edge; an example, an indented line, stays as it is written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002 -- the signature is argparse's
        parts = groupby(text.splitlines(), key=lambda line: not line or line[0] == " ")
        return "\n".join(
            "\n".join(lines) if as_written else textwrap.fill(" ".join(lines), width, break_on_hyphens=False)
            for as_written, lines in parts
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = build_parser(_command_in(words)).parse_args(words)
        command = import_module(f"gateway.cli.{COMMANDS[arguments.command][0]}")
        code: int = command.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of our output went away (`| head`); what is left has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 -- the last resort: a person gets a sentence, never a traceback
        return _told(gravest(error))
    return code


def _told(error: BaseException) -> int:
    """Say what ended the command; its exit code."""
    if isinstance(error, GatewayError):
        complain(str(error))
        return int(error.exit_code)
    complain(f"This is a mistake in the program ({_place_of(error)}); please report it with what you did.")
    return int(Exit.SOFTWARE)


def build_parser(full: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the command named `full` (or all for "*") has its own arguments filled in."""
    parser = argparse.ArgumentParser(
        prog="vitals-gateway",
        description="Device gateway for remote patient monitoring: from a device's frame to an accepted record.",
        epilog=_EPILOG,
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"vitals-gateway {__version__}")
    parser.add_argument("--config", metavar="PATH", type=Path, help="the configuration file (TOML)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, what) in COMMANDS.items():
        sub = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", formatter_class=_Help)
        sub.add_argument("--config", metavar="PATH", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        if full in (name, "*"):
            import_module(f"gateway.cli.{module}").add_arguments(sub)
    return parser


def complain(sentence: str) -> None:
    """Say on stderr what happened and what to do next."""
    print(f"vitals-gateway: {sentence}", file=sys.stderr)


def config_path(arguments: argparse.Namespace) -> Path:
    """Where the configuration is."""
    return Path(arguments.config or os.environ.get("VITALS_GATEWAY_CONFIG") or CONFIG_DEFAULT)


def _command_in(words: Sequence[str]) -> str | None:
    return next((word for word in words if word in COMMANDS), None)


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
    return f"{type(error).__name__} at {where}"
