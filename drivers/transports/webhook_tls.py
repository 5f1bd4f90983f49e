"""A listener's certificate, taken into use again when its files change: renewal needs no restart."""

import ssl

from drivers.transports.webhook_options import Certificate
from gateway.core.errors import Refused

_Stamp = tuple[tuple[int, int, int], ...]


class Credentials:
    """
    The TLS context for the next connection.

    `complaint` is a sentence for a person while changed files cannot be used; the last good ones serve on meanwhile.
    """

    def __init__(self, files: Certificate) -> None:
        """Raises Refused where the files cannot be used."""
        self._files = files
        self.complaint: str | None = None
        try:
            self._stamp = self._look()
            self._context = _loaded(files)
        except OSError as error:
            raise Refused(_sentence(files)) from error

    def context(self) -> ssl.SSLContext:
        """As the files stand now. Certificate and key change one after the other: a pair that does not fit waits."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                self._context, self.complaint = _loaded(self._files), None
        except OSError:
            self.complaint = _sentence(self._files)
        return self._context

    def _look(self) -> _Stamp:
        found = (self._files.cert.stat(), self._files.key.stat())
        return tuple((file.st_ino, file.st_size, file.st_mtime_ns) for file in found)


def _loaded(files: Certificate) -> ssl.SSLContext:
    """Raises OSError, of which ssl.SSLError is one. TLS 1.2 and later, as OpenSSL and Python set it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # a password would be asked for on the terminal, and the daemon has none
    context.load_cert_chain(files.cert, files.key, password=lambda: "")
    return context


def _sentence(files: Certificate) -> str:
    return (
        f"The certificate {files.cert} with the key {files.key} cannot be used; "
        "check that both are there, readable and belong together."
    )
