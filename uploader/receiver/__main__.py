"""
`python -m uploader.receiver --listen 127.0.0.1:8100 --store PATH [--token file:PATH] ...`

Prints one line on stdout once it listens: the address, with the port the system chose where 0 was asked for.
"""

import argparse
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

import uvicorn

from gateway.core.errors import ConfigInvalid, GatewayError
from gateway.core.secret import SecretRef
from uploader.receiver.app import create_app
from uploader.receiver.options import Options
from uploader.receiver.signature import public_key_bytes

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_STOP_WITHIN_S = 5
# At most this many connections at once, each with at most one batch in memory; above it the answer is 503.
_CONNECTIONS_MAX = 200


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; gives the exit code."""
    given = _parser().parse_args(arguments)
    try:
        _serve(given)
    except GatewayError as error:
        print(error, file=sys.stderr)  # noqa: T201  a command speaks to a person
        return int(error.exit_code)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m uploader.receiver", description="The reference billing backend.")
    parser.add_argument("--listen", default="127.0.0.1:8100", metavar="HOST:PORT", help="port 0: any free one")
    parser.add_argument("--store", required=True, type=Path, metavar="PATH", help="the SQLite file")
    parser.add_argument("--token", metavar="file:PATH", help="the token hubs and people must show")
    parser.add_argument("--hub-key", action="append", default=[], metavar="HUB=PATH",
                        help="this hub must sign; PATH holds its Ed25519 public key (PEM, base64 or hex)")  # fmt: skip
    parser.add_argument("--tls-cert", metavar="PATH", help="PEM; needed, with --token, beyond loopback")
    parser.add_argument("--tls-key", metavar="PATH", help="PEM")
    return parser


def _serve(given: argparse.Namespace) -> None:
    host, port = _address(given.listen)
    if host not in _LOOPBACK and not (given.token and given.tls_cert):
        raise ConfigInvalid(
            ["Beyond loopback the backend needs --token and --tls-cert; give both, or listen on 127.0.0.1."]
        )
    token = _token(given.token) if given.token else None
    keys = dict(_hub_key(pair) for pair in given.hub_key)
    options = Options(store=given.store, token=token.read if token else None, public_keys=keys)
    app = create_app(options, lambda: time.time_ns() // 1_000_000)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, lifespan="on",
        limit_concurrency=_CONNECTIONS_MAX, timeout_graceful_shutdown=_STOP_WITHIN_S,
        ssl_certfile=given.tls_cert, ssl_keyfile=given.tls_key,
    )  # fmt: skip
    with _listening(host, port) as listener:
        scheme = "https" if given.tls_cert else "http"
        shown = f"[{host}]" if ":" in host else host
        print(f"{scheme}://{shown}:{listener.getsockname()[1]}", flush=True)  # noqa: T201  whoever started it reads this
        _run(uvicorn.Server(config), listener)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # Once it has stopped in order, uvicorn raises the signal again for whoever had it before: us, who are done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    try:
        server.run(sockets=[listener])
    except (OSError, ssl.SSLError) as error:
        raise ConfigInvalid(["The TLS certificate or key cannot be read; check --tls-cert and --tls-key."]) from error


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not (host and port.isdigit() and int(port) < 65536):
        raise ConfigInvalid(["--listen is HOST:PORT, like 127.0.0.1:8100."])
    return host.strip("[]"), int(port)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigInvalid(["The address of --listen cannot be used; it is taken, or not this machine's."]) from error


def _token(reference: str) -> SecretRef:
    kind, _, name = reference.partition(":")
    if kind not in {"file", "credential"} or not name:
        raise ConfigInvalid(["--token is file:PATH or credential:NAME, never the token itself."])
    token = SecretRef(kind, name)
    token.read()  # a token that cannot be read stops the start
    return token


def _hub_key(pair: str) -> tuple[str, bytes]:
    hub, _, path = pair.partition("=")
    try:
        return hub, public_key_bytes(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigInvalid([f"The public key of hub {hub} cannot be read; --hub-key is HUB=PATH."]) from error


if __name__ == "__main__":
    sys.exit(main())
