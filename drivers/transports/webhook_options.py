"""
What a webhook is configured with.

Imports nothing heavy: the configuration is read by commands that never listen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.core.reading import DeviceIdentity
from gateway.core.secret import SecretRef


@dataclass(frozen=True, slots=True)
class Token:
    """A word in `Authorization: Bearer`, or in a header of the vendor's own."""

    secret: SecretRef
    header: str | None = None


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password (RFC 7617)."""

    user: str
    password: SecretRef


@dataclass(frozen=True, slots=True)
class Hmac:
    """HMAC-SHA-256 over the body as it was sent, in hex, with or without `sha256=` before it."""

    secret: SecretRef
    header: str


Credential = Token | Basic | Hmac


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate with its chain, and its key: unencrypted PEM, read again when a file changes."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """
    One path that a vendor posts to; several may stand behind one address.

    credential   None only on loopback, where it was said in so many words
    certificate  None only on loopback
    device       whose readings these are, where the vendor's payload names no device
    """

    name: str
    host: str
    port: int
    path: str
    driver: str
    credential: Credential | None
    certificate: Certificate | None = None
    device: DeviceIdentity | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where the connection arrives."""
        return self.host, self.port


def by_address(sources: Iterable[WebhookOptions]) -> list[tuple[WebhookOptions, ...]]:
    """The sources of each address, in the order configured: one listener each."""
    found: dict[tuple[str, int], list[WebhookOptions]] = {}
    for source in sources:
        found.setdefault(source.address, []).append(source)
    return [tuple(group) for group in found.values()]
