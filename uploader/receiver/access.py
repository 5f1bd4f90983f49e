"""
Who may come in.

With a token: hubs show it as Bearer; people too, or as the password of Basic, so that a browser can ask for it.
Without one the backend stands on loopback, and ledger and pages answer only to loopback host names: a page on the web
that points its own name at 127.0.0.1 must not read patients' days.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

from uploader.receiver.problem import Problem

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

TokenSource = Callable[[], str] | None


def check_hub(token: TokenSource, authorization: str) -> None:
    """Raise Problem 401 unless the field carries the bearer token, where one is asked for."""
    if token is not None and not _same(_bearer(authorization), token()):
        raise _stranger("Bearer", "The token is missing or wrong; give the hub the backend's token.")


def check_person(token: TokenSource, authorization: str, host: str) -> None:
    """The same for ledger and pages: Bearer or Basic with a token, a loopback name without. Raises Problem 401, 403."""
    if token is None:
        if _name(host) not in _LOOPBACK:
            detail = "Without a token this is shown on this machine only; open it as 127.0.0.1, or start with --token."
            raise Problem(403, "Not from here", detail)
        return
    if not _same(_bearer(authorization) or _password(authorization), token()):
        raise _stranger('Basic realm="day ledger", charset="UTF-8"', "Sign in with the backend's token as password.")


def _name(host: str) -> str:
    """The host of a Host field without its port."""
    return host.lower().rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host.lower()


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _password(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(given: str, token: str) -> bool:
    """Compared by digest, so that time tells neither content nor length."""
    left, right = (hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, token))
    return bool(token) and hmac.compare_digest(left, right)


def _stranger(challenge: str, detail: str) -> Problem:
    return Problem(401, "Not known here", detail, headers={"WWW-Authenticate": challenge})
