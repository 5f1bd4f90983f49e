"""
The seal of a packet: a digest of every section, one digest over them, and the hub's signature over that.

The digests are SHA-256 over RFC 8785 canonical JSON, so that any tool can compute them again. Without a key the packet
is sealed and not signed, and says so: then it shows what was altered, unless somebody computed the whole seal anew.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from gateway.core.errors import NotThere
from gateway.core.record import canonical

SEAL = "seal"
UNSIGNED = "The hub has no key, so this packet is sealed and not signed."
SIGNED = "Signed with the hub's key; compare the public key with the one the hub was registered with."
_CONTEXT = b"vitals-evidence-packet/1\n"  # what is signed here can be mistaken for nothing else the key signs


class Signer(Protocol):
    """A hub's key."""

    @property
    def public(self) -> str:
        """Its public half, 32 bytes as hex."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a seal says: the sections that are not what was sealed, and whether the seal itself holds."""

    altered: tuple[str, ...]
    seal_fault: str | None
    signed_by: str | None


def sealed(document: Mapping[str, Any], signer: Signer | None) -> dict[str, Any]:
    """The document with its seal."""
    sections = {key: _digest(value) for key, value in document.items()}
    digest = _digest(sections)
    signature = None
    if signer is not None:
        value = base64.b64encode(signer.sign(_CONTEXT + digest.encode("ascii"))).decode("ascii")
        signature = {"alg": "ed25519", "key": signer.public, "value": value}
    said = UNSIGNED if signer is None else SIGNED
    return {**document, SEAL: {"sections": sections, "digest": digest, "signature": signature, "says": said}}


def check_seal(document: Mapping[str, Any]) -> Checked:
    """Compare a document with its seal; raises NotThere where its signature cannot be checked here."""
    seal = document.get(SEAL)
    if not isinstance(seal, dict) or set(seal) != {"sections", "digest", "signature", "says"}:
        return Checked((), "The seal is missing or is not one.", None)
    found = {key: _digest(value) for key, value in document.items() if key != SEAL}
    said = seal["sections"]
    altered = tuple(
        key for key in sorted({*found, *said} if isinstance(said, dict) else found) if not _same(key, found, said)
    )
    if _digest(found) == seal["digest"] and altered:
        return Checked((), f"The seal of {altered[0]} was altered; the section itself was not.", None)
    if _digest(said) != seal["digest"]:
        return Checked(altered, "The digest of the seal was altered.", None)
    return Checked(altered, *_signature(seal))


def _same(key: str, found: Mapping[str, str], said: Any) -> bool:
    return isinstance(said, dict) and found.get(key) == said.get(key)


def _signature(seal: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What is wrong with it, and the public key that holds it."""
    signature = seal["signature"]
    if seal["says"] != (UNSIGNED if signature is None else SIGNED):
        return "What the seal says of its signature was altered.", None
    if signature is None:
        return None, None
    wrong = "The signature is not the hub's over this packet: it, the key or the packet was altered."
    if not isinstance(signature, dict) or set(signature) != {"alg", "key", "value"} or signature["alg"] != "ed25519":
        return wrong, None
    message = _CONTEXT + str(seal["digest"]).encode("ascii", "replace")
    return (None, signature["key"]) if _holds(signature, message) else (wrong, None)


def _holds(signature: Mapping[str, Any], message: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise NotThere(
            'The signature cannot be checked without the package "cryptography"; install vitals-gateway[sign].'
        ) from error
    try:
        # Case and padding of the text are part of the packet, so that one signature has one spelling.
        key, value = binascii.unhexlify(signature["key"]), base64.b64decode(signature["value"], validate=True)
        spelled: bool = key.hex() == signature["key"] and base64.b64encode(value).decode("ascii") == signature["value"]
        Ed25519PublicKey.from_public_bytes(key).verify(value, message)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return spelled


def _digest(value: Any) -> str:
    return sha256(canonical(value)).hexdigest()
