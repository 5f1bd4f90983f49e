import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.fakes import cloud
from tests.fakes.cloud import HttpsCloud, Say

Serve = Callable[..., AbstractContextManager[HttpsCloud]]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority as the file that upload.ca names."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_tls(certificate: trustme.LeafCert, clients_of: trustme.CA | None = None) -> ssl.SSLContext:
    """A server's context; with `clients_of` it asks each client for a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if clients_of is not None:
        clients_of.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def serve(authority: trustme.CA) -> Serve:
    """Start a backend on loopback with TLS, with the certificate for localhost unless another is given."""

    @contextmanager
    def start(
        script: Callable[[int], Say] = lambda _number: cloud.OK, tls: ssl.SSLContext | None = None
    ) -> Iterator[HttpsCloud]:
        with HttpsCloud(tls or server_tls(authority.issue_cert("localhost")), script) as running:
            yield running

    return start
