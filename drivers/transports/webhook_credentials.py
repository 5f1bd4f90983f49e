"""
Whether a caller is the vendor.

Secrets are read each time, so one can be changed while the daemon runs, and compared in a time that tells nothing of
where the first difference stands. A field that comes twice is nobody's credential.
"""

import base64
import binascii
import hmac

from drivers.transports.webhook_http import Head
from drivers.transports.webhook_options import Basic, Credential, Hmac, Token

_AUTHORIZATION = "authorization"


def admits_head(credential: Credential | None, head: Head) -> bool:
    """Whether the head alone gives no reason to turn the caller away; raises NotThere where the secret is not there."""
    match credential:
        case Token(secret, None):
            return _same(_after_scheme(head, b"bearer"), secret.read())
        case Token(secret, str() as header):
            return _same(head.field(header), secret.read())
        case Basic(user, password):
            return _same(_decoded(_after_scheme(head, b"basic")), f"{user}:{password.read()}")
        case Hmac(_, header):
            return head.field(header) is not None
    return True


def admits_body(credential: Credential | None, head: Head, body: bytes) -> bool:
    """Whether the body bears the caller's signature, where it has to; raises NotThere."""
    if not isinstance(credential, Hmac):
        return True
    wanted = hmac.new(credential.secret.read().encode(), body, "sha256").hexdigest()
    given = head.field(credential.header) or b""
    return _same(given.lower().removeprefix(b"sha256="), wanted)


def _same(given: bytes | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given, wanted.encode())


def _after_scheme(head: Head, scheme: bytes) -> bytes | None:
    named, _, rest = (head.field(_AUTHORIZATION) or b"").partition(b" ")
    return rest.strip() if named.lower() == scheme else None


def _decoded(word: bytes | None) -> bytes | None:
    try:
        return None if word is None else base64.b64decode(word, validate=True)
    except binascii.Error:
        return None
