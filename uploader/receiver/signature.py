"""
HTTP Message Signatures (RFC 9421) with Ed25519: verifying what a hub signed. Pure.

A signature must cover at least the method, the content's digest and the Idempotency-Key, so that neither the records
nor the batch's name can be exchanged. It may cover more; component parameters (`;sf`, `;req` ...) are not supported.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from uploader.receiver.problem import Problem

MUST_COVER = frozenset({"@method", "content-digest", "idempotency-key"})
_INPUT = re.compile(
    r'(?:^|,)\s*([a-z*][a-z0-9_.*-]*)=(\(([^()]*)\)((?:;[a-z*][a-z0-9_.*-]*(?:=(?:"[^"]*"|[0-9]+))?)*))'
)
_SIGNATURE = re.compile(r"(?:^|,)\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):")
_ITEM = re.compile(r'"([a-z0-9@-]+)"')
_TEXT_MAX = 4096


@dataclass(frozen=True, slots=True)
class Message:
    """What a signature can cover. Field names are lower case; values stand as they came."""

    method: str
    url: str
    authority: str
    scheme: str
    path: str
    query: str
    fields: Mapping[str, str]

    def component(self, name: str) -> str | None:
        """The value of a component (RFC 9421, section 2); None where the message has none."""
        derived = {
            "@method": self.method,
            "@target-uri": self.url,
            "@authority": self.authority.lower(),
            "@scheme": self.scheme,
            "@request-target": self.path + (f"?{self.query}" if self.query else ""),
            "@path": self.path,
            "@query": f"?{self.query}",
        }
        return derived.get(name) if name.startswith("@") else self.fields.get(name)


def check_signature(message: Message, public_key: bytes, must_cover: frozenset[str] = MUST_COVER) -> None:
    """Raise Problem 401 unless one of the message's signatures is by this key and covers what it must."""
    given, sent = message.fields.get("signature-input", ""), message.fields.get("signature", "")
    if not given or not sent:
        raise _unsigned("This hub must sign what it sends (RFC 9421), and the signature is missing.")
    if max(len(given), len(sent)) > _TEXT_MAX:
        raise _unsigned("The signature's fields are too long to be read.")
    signatures = dict(_SIGNATURE.findall(sent))
    for label, params, items, _rest in _INPUT.findall(given):
        names = _ITEM.findall(items)
        if label in signatures and must_cover <= set(names) and items.split() == [f'"{name}"' for name in names]:
            base = _base(message, names, params)
            if base is not None and _is_by(public_key, signatures[label], base):
                return
    raise _unsigned("The signature is not this hub's; check the key on the hub and the one registered here.")


def _unsigned(detail: str) -> Problem:
    return Problem(401, "Not signed", detail, headers={"WWW-Authenticate": "Bearer"})


def _base(message: Message, names: list[str], params: str) -> bytes | None:
    """The signature base (RFC 9421, section 2.5); None where a covered component is not there."""
    lines = []
    for name in names:
        value = message.component(name)
        if value is None:
            return None
        lines.append(f'"{name}": {value.strip()}')
    lines.append(f'"@signature-params": {params}')
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _is_by(public_key: bytes, encoded: str, base: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(base64.b64decode(encoded, validate=True), base)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def public_key_bytes(text: str) -> bytes:
    """A public key as a person has it: PEM, or 32 bytes in base64 or hex. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    text = text.strip()
    if text.startswith("-----BEGIN"):
        key = load_pem_public_key(text.encode())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 key")
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    raw = bytes.fromhex(text) if re.fullmatch(r"[0-9a-fA-F]{64}", text) else base64.b64decode(text, validate=True)
    if len(raw) != 32:
        raise ValueError("not 32 bytes")
    return raw
