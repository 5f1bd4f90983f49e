"""
HTTP Message Signatures (RFC 9421) with Ed25519: the backend can tell that this hub sent these bytes to this address.

A signature covers the body by its Content-Digest and carries the second it was made, so each try of one batch has the
same body and a signature of its own.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from gateway.core.errors import BadCredentials, NotThere
from gateway.core.secret import SecretRef

# Method and address bind the request to its place, the digest to its content, the key to its batch.
COVERED = ("@method", "@target-uri", "content-digest", "content-type", "idempotency-key")
_SEED_BYTES = 32  # RFC 8032: an Ed25519 private key


def signed(
    headers: Mapping[str, str], target_uri: str, key_id: str, created_s: int, sign: Callable[[bytes], bytes]
) -> dict[str, str]:
    """The two fields that sign a POST of these headers; `created_s` is seconds since 1970."""
    fields = {name.lower(): value for name, value in headers.items()}
    fields |= {"@method": "POST", "@target-uri": target_uri}
    covered = " ".join(f'"{name}"' for name in COVERED)
    parameters = f'({covered});created={created_s};keyid="{key_id}";alg="ed25519"'
    lines = [f'"{name}": {fields[name]}' for name in COVERED]
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = base64.b64encode(sign(base.encode("utf-8"))).decode("ascii")
    return {"Signature-Input": f"sig1={parameters}", "Signature": f"sig1=:{signature}:"}


def load_key(ref: SecretRef) -> Callable[[bytes], bytes]:
    """The signing function of a private key, PEM or 32 bytes as hex; raises NotThere or BadCredentials."""
    key = _key(ref.read())
    return lambda message: bytes(key.sign(message))


class HubKey:
    """The hub's Ed25519 key, for what it signs beside uploads; raises NotThere or BadCredentials."""

    def __init__(self, ref: SecretRef) -> None:
        self._key = _key(ref.read())

    @property
    def public(self) -> str:
        """Its public half, 32 bytes as hex."""
        return bytes(self._key.public_key().public_bytes_raw()).hex()

    def sign(self, message: bytes) -> bytes:
        """A signature, 64 bytes."""
        return bytes(self._key.sign(message))


def _key(text: str) -> Any:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise NotThere(
            'Signing uploads needs the package "cryptography"; install vitals-gateway[sign] or remove upload.sign_key.'
        ) from error
    try:
        if text.startswith("-----BEGIN"):
            key: Any = load_pem_private_key(text.encode("ascii"), password=None)
        else:
            key = Ed25519PrivateKey.from_private_bytes(_seed(text))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _not_a_key() from None  # the cause may quote the key
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_a_key()
    return key


def _seed(text: str) -> bytes:
    try:
        seed = binascii.unhexlify(text.strip())
    except binascii.Error:
        raise ValueError from None
    if len(seed) != _SEED_BYTES:
        raise ValueError
    return seed


def _not_a_key() -> BadCredentials:
    return BadCredentials("The key in upload.sign_key is no Ed25519 private key; give a PEM file or 32 bytes as hex.")
