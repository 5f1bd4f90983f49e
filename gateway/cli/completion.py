"""`completion`: the script that completes commands in a shell."""

import argparse

from gateway.cli import build_parser, complain
from gateway.core.errors import Exit

_EXAMPLES = """\
  vitals-gateway completion bash > /etc/bash_completion.d/vitals-gateway"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"])


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ModuleNotFoundError:
        complain("Completion needs the package shtab; install vitals-gateway[demo].")
        return int(Exit.UNAVAILABLE)
    print(shtab.complete(build_parser("*"), shell=arguments.shell))
    return 0
