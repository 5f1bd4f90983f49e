"""What the uploader is told: where to send, how, with which credentials. Read from TOML by `config`, frozen here."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.core.secret import SecretRef

# One request's records, before compression. A record with its frame is about 1 kB, so 1,000 fit; packed they are about
# 150 kB, which passes the body limits in front of most web services and a cellular link of 1 kB/s in a few minutes.
BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NoAuth:
    """Nothing proves who the hub is: for a backend on the same machine."""


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A token, read again for each request, so that it can be changed without a restart."""

    token: SecretRef


@dataclass(frozen=True, slots=True)
class OAuth2Auth:
    """Client credentials (RFC 6749 section 4.4): a short-lived token from `token_url`."""

    token_url: str
    client_id: str
    client_secret: SecretRef
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class MtlsAuth:
    """A client certificate; both files are read again when they change."""

    cert: Path
    key: Path


Auth = NoAuth | BearerAuth | OAuth2Auth | MtlsAuth


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """
    `[upload]` of the configuration.

    url           where batches are posted
    format        "vitals" or "fhir"
    batch_max     records in one batch
    bytes_max     bytes of records in one batch, before compression
    batch_wait_s  how long the first record waits for company
    timeout_s     for each of connecting, sending a piece, and waiting for a piece of the answer
    compress      "zstd", "gzip" or "none"
    ca            the only authorities trusted, PEM; None: those of the system
    insecure      plain http beyond loopback is meant
    sign_key      Ed25519 private key for message signatures, PEM or 32 bytes as hex; None: no signatures
    """

    url: str
    format: str = "vitals"
    batch_max: int = 200
    bytes_max: int = BYTES_MAX
    batch_wait_s: float = 2.0
    timeout_s: float = 30.0
    compress: str = "gzip"
    auth: Auth = field(default_factory=NoAuth)
    ca: Path | None = None
    insecure: bool = False
    sign_key: SecretRef | None = None
