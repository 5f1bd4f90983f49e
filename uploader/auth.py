"""Who the hub says it is: the Authorization field of each request, from secrets that are read when needed."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import assert_never
from urllib.parse import quote, urlencode

from gateway.core.errors import BadCredentials, LinkLost, NotThere
from gateway.core.secret import SecretRef
from gateway.core.time import Clock
from uploader.options import Auth, BearerAuth, MtlsAuth, NoAuth, OAuth2Auth
from uploader.verdict import Answer

Post = Callable[[str, bytes, dict[str, str]], Awaitable[Answer]]

_EARLY_S = 30.0  # a token is replaced this long before it ends, so that none ends on the way
_UNSAID_S = 300.0  # how long a token is used whose service does not say when it ends
_REFUSED = frozenset({400, 401, 403})  # RFC 6749 section 5.2: invalid_client, invalid_scope and their kin


class Credentials:
    """
    Gives each request its Authorization field.

    Raises BadCredentials where a person must act: a secret that is not there or cannot be a token, a token service
    that refuses; LinkError where the token service does not answer.
    """

    def __init__(self, auth: Auth, post: Post, clock: Clock) -> None:
        self._auth = auth
        self._post = post
        self._clock = clock
        self._granted: str | None = None
        self._until_s = 0.0

    async def token(self) -> str | None:
        """The bearer token; None where nothing, or a certificate, proves who the hub is."""
        match self._auth:
            case BearerAuth(token):
                return _sendable(_read(token))
            case OAuth2Auth() as auth:
                return await self._current(auth)
            case NoAuth() | MtlsAuth():
                return None
            case _:  # pragma: no cover -- mypy proves that nothing is left
                assert_never(self._auth)

    def forget(self) -> bool:
        """Drop a granted token that was refused; whether a fresh one can be asked for."""
        had, self._granted = self._granted is not None, None
        return had

    async def _current(self, auth: OAuth2Auth) -> str:
        if self._granted is None or self._clock.monotonic_s() >= self._until_s:
            token, lasts_s = _granted(await self._post(auth.token_url, _form(auth), _asking(auth)))
            self._until_s = self._clock.monotonic_s() + lasts_s - min(_EARLY_S, lasts_s / 2)
            self._granted = token
        return self._granted


def _form(auth: OAuth2Auth) -> bytes:
    fields = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
    return urlencode(fields).encode("ascii")


def _asking(auth: OAuth2Auth) -> dict[str, str]:
    """RFC 6749 section 2.3.1: id and secret, form-encoded, as HTTP Basic."""
    pair = f"{quote(auth.client_id, safe='')}:{quote(_read(auth.client_secret), safe='')}"
    basic = base64.b64encode(pair.encode("ascii")).decode("ascii")
    return {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}


def _granted(answer: Answer) -> tuple[str, float]:
    """The token and how many seconds it lasts."""
    if answer.status in _REFUSED:
        raise BadCredentials("The token service refuses this hub; check client_id and client_secret in upload.auth.")
    try:
        document = json.loads(answer.body) if answer.status == 200 and answer.is_whole else {}
        token, lasts_s = document["access_token"], float(document.get("expires_in") or _UNSAID_S)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise LinkLost(
            "The token service did not give a token; it is asked again."
        ) from None  # its answer may hold one
    if not isinstance(token, str) or not lasts_s > 0:
        raise LinkLost("The token service did not give a token; it is asked again.")
    return _sendable(token), lasts_s


def _read(ref: SecretRef) -> str:
    try:
        return ref.read()
    except NotThere as error:
        raise BadCredentials(str(error)) from error


def _sendable(token: str) -> str:
    """RFC 6750 section 2.1: a token is visible ASCII. Anything else would be refused with the token in the error."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BadCredentials("The upload token holds signs that no token has; write the token alone into its file.")
    return token
