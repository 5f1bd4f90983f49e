"""How the hub knows its backend, and shows who it is: TLS contexts, and which TLS errors a person must mend."""

import ssl
from pathlib import Path

from gateway.core.errors import BadCredentials
from uploader.options import MtlsAuth, UploadOptions

Stamp = tuple[tuple[int, int, int] | None, ...]

# Alerts by which a server refuses our certificate (RFC 8446 section 6.2), in OpenSSL's names. In TLS 1.3 they come with
# the first read, after the handshake; where a reset overtakes the alert the link is merely lost, and a later try tells.
_REFUSALS = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    }
)
_NOT_YET_VALID = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED


def files(options: UploadOptions) -> tuple[Path, ...]:
    """The files a TLS context is made of."""
    own = (options.auth.cert, options.auth.key) if isinstance(options.auth, MtlsAuth) else ()
    return own if options.ca is None else (options.ca, *own)


def stamp(paths: tuple[Path, ...]) -> Stamp:
    """What changes when a file is replaced or written; None for one that is not there."""
    return tuple(_stamp(path) for path in paths)


def context(options: UploadOptions) -> ssl.SSLContext:
    """Verify the backend against `ca`, or the system's authorities; raises BadCredentials for files of no use."""
    if not options.url.startswith("https:") and not options.ca:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, is never used, and costs nothing to make
    try:
        made = ssl.create_default_context(cafile=options.ca)
        if isinstance(options.auth, MtlsAuth):
            # An empty password: OpenSSL would ask at the terminal for one otherwise.
            made.load_cert_chain(options.auth.cert, options.auth.key, password="")
    except OSError as error:  # ssl.SSLError is one
        raise BadCredentials(
            "The certificate files of upload cannot be used; check that ca, cert and key are PEM and belong together."
        ) from error
    return made


def fault(error: BaseException) -> str | None:
    """A sentence where the other side is not who it should be, or does not take us for who we are; else None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _unverified(getattr(cause, "verify_code", 0))  # OpenSSL's own carry one
        if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in _REFUSALS:
            return "The backend does not accept this hub's certificate; renew cert and key in upload.auth."
        cause = cause.__cause__ or cause.__context__
    return None


def _unverified(code: int) -> str:
    if code == _NOT_YET_VALID:
        return "The backend's certificate is not valid yet; check the hub's clock."
    if code == _EXPIRED:
        return "The backend's certificate has expired; renew it there, or check the hub's clock."
    return (
        "The backend's certificate is not one this hub trusts; check upload.url and upload.ca, or the network between."
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
