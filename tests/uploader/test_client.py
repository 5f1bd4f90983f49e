"""The client against a real server with TLS on loopback."""

import asyncio
import base64
import contextlib
import itertools
import json
import logging
import os
import re
import ssl
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.batch import Batch
from gateway.core.errors import BadCredentials, GatewayError, LinkLost, LinkTimeout, Remedy
from gateway.core.record import canonical
from gateway.core.secret import SecretRef
from tests.fakes import cloud
from tests.fakes.clock import START_MS, FakeClock
from tests.fakes.cloud import HttpsCloud, unpacked
from tests.uploader.conftest import Serve, server_tls
from uploader.client import FOREIGN, Client, translated
from uploader.envelope import Parcel, pack
from uploader.options import BearerAuth, MtlsAuth, OAuth2Auth, UploadOptions

TOKEN = "s3cret-token-of-this-hub"


def parcel(batch_id: str = "k", filler: str = "") -> Parcel:
    record = canonical({"record_id": "r1", "frame": filler})
    return pack(Batch(batch_id, canonical({"id": "hub-7"}), (record,), ("r1",)), "none")


def check(options: UploadOptions, use: Callable[[Client], Awaitable[None]], clock: FakeClock | None = None) -> None:
    async def run() -> None:
        async with Client(options, "hub-7", clock or FakeClock()) as client:
            await use(client)

    asyncio.run(run())


def with_token(options: UploadOptions, folder: Path, token: str = TOKEN) -> UploadOptions:
    path = folder / "token"
    path.write_text(token)
    return replace(options, auth=BearerAuth(SecretRef("file", str(path))))


async def sends(client: Client) -> None:
    assert (await client.send(parcel())).status == 200


def fails_with(kind: type[GatewayError], words: str) -> Callable[[Client], Awaitable[None]]:
    async def use(client: Client) -> None:
        with pytest.raises(kind, match=words) as caught:
            await client.send(parcel())
        assert TOKEN not in "".join(traceback.format_exception(caught.value))

    return use


def test_what_was_packed_arrives(serve: Serve, ca: Path) -> None:
    sent = parcel(filler="ü" * 300_000)  # several pieces
    with serve() as running:

        async def use(client: Client) -> None:
            assert (await client.send(sent)).status == 200

        check(UploadOptions(running.url, ca=ca), use)
        (seen,) = running.seen
    assert seen.body == sent.body
    assert seen.path == "/batches/"
    assert {name.lower(): value for name, value in sent.headers.items()}.items() <= seen.headers.items()
    assert seen.headers["content-length"] == str(len(sent.body))
    assert re.fullmatch(r"vitals-gateway/[\w.]+", seen.headers["user-agent"])
    assert "transfer-encoding" not in seen.headers
    assert "cookie" not in seen.headers


def test_one_connection_is_kept(serve: Serve, ca: Path) -> None:
    with serve() as running:

        async def use(client: Client) -> None:
            for number in range(5):
                assert (await client.send(parcel(str(number)))).status == 200

        check(UploadOptions(running.url, ca=ca), use)
        assert running.connections == 1
        assert all("cookie" not in seen.headers for seen in running.seen)


def test_plain_http_on_loopback() -> None:
    with HttpsCloud(None) as running:
        check(UploadOptions(running.url), sends)


def test_a_connection_that_broke_is_made_again(serve: Serve, ca: Path) -> None:
    with serve(lambda number: cloud.LOST if number == 1 else cloud.OK) as running:

        async def use(client: Client) -> None:
            await sends(client)
            with pytest.raises(LinkLost):
                await client.send(parcel())
            await sends(client)

        check(UploadOptions(running.url, ca=ca), use)


def test_nobody_listens() -> None:
    with HttpsCloud(None) as running:
        url = running.url
    check(UploadOptions(url), fails_with(LinkLost, "cannot be reached"))


@pytest.mark.parametrize("url", ["https://" + "a" * 64 + ".invalid/", "https://\x7f/", "ftp://localhost/", "https://"])
def test_an_address_of_no_use_is_an_error_of_ours(url: str) -> None:
    check(UploadOptions(url), fails_with(LinkLost, "upload.url"))


def test_a_redirect_is_not_followed(serve: Serve, ca: Path) -> None:
    with serve(lambda _number: 307) as running:

        async def use(client: Client) -> None:
            assert (await client.send(parcel())).status == 307

        check(UploadOptions(running.url, ca=ca), use)
        assert len(running.seen) == 1


def test_the_environment_changes_nothing(serve: Serve, ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serve() as running:
        check(UploadOptions(running.url, ca=ca), sends)


def test_a_cancelled_request_leaves_no_connection(serve: Serve, ca: Path) -> None:
    with serve(lambda number: cloud.SILENT if number == 0 else cloud.OK) as running:

        async def use(client: Client) -> None:
            sending = asyncio.create_task(client.send(parcel()))
            while not running.seen:  # noqa: ASYNC110 -- the event is in another thread
                await asyncio.sleep(0)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            await sends(client)

        check(UploadOptions(running.url, ca=ca), use)


# ------------------------------------------------------------------------------------------------ who the backend is


def test_an_unknown_authority(serve: Serve, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with serve() as running:
        check(UploadOptions(running.url, ca=other), fails_with(BadCredentials, "not one this hub trusts"))
        assert running.seen == []


def test_the_systems_authorities_do_not_know_a_private_one(serve: Serve) -> None:
    with serve() as running:
        check(UploadOptions(running.url), fails_with(BadCredentials, "not one this hub trusts"))


def test_a_certificate_for_another_name(serve: Serve, authority: trustme.CA, ca: Path) -> None:
    with serve(tls=server_tls(authority.issue_cert("elsewhere.example"))) as running:
        check(UploadOptions(running.url, ca=ca), fails_with(BadCredentials, "not one this hub trusts"))


@pytest.mark.parametrize(
    ("since_days", "until_days", "words"), [(-20, -10, "has expired"), (10, 20, "not valid yet; check the hub's clock")]
)
def test_a_certificate_of_another_time(
    serve: Serve, authority: trustme.CA, ca: Path, since_days: int, until_days: int, words: str
) -> None:
    now = datetime.now(UTC)
    certificate = authority.issue_cert(
        "localhost", not_before=now + timedelta(days=since_days), not_after=now + timedelta(days=until_days)
    )
    with serve(tls=server_tls(certificate)) as running:
        check(UploadOptions(running.url, ca=ca), fails_with(BadCredentials, words))


def test_plain_http_where_tls_was_expected() -> None:
    with HttpsCloud(None) as running:
        url = running.url.replace("http:", "https:")
        check(UploadOptions(url), fails_with(LinkLost, "upload"))


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    options = UploadOptions("https://localhost:9/", ca=tmp_path / "none.pem")
    check(options, fails_with(BadCredentials, "check that ca, cert and key are PEM"))


# ------------------------------------------------------------------------------------------------ who the hub is


def client_files(folder: Path, authority: trustme.CA) -> MtlsAuth:
    issued = authority.issue_cert("hub-7.example")
    cert, key = folder / "hub.pem", folder / "hub.key"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    return MtlsAuth(cert, key)


@pytest.fixture
def asking(serve: Serve, authority: trustme.CA) -> Callable[[], contextlib.AbstractContextManager[HttpsCloud]]:
    """A backend that asks for client certificates."""
    return lambda: serve(tls=server_tls(authority.issue_cert("localhost"), clients_of=authority))


Asking = Callable[[], contextlib.AbstractContextManager[HttpsCloud]]


def test_a_client_certificate(asking: Asking, authority: trustme.CA, ca: Path, tmp_path: Path) -> None:
    with asking() as running:
        check(UploadOptions(running.url, ca=ca, auth=client_files(tmp_path, authority)), sends)


def test_no_client_certificate_where_one_is_asked_for(asking: Asking, ca: Path) -> None:
    with asking() as running:
        check(UploadOptions(running.url, ca=ca), fails_with(BadCredentials, "does not accept this hub's cert"))


def test_a_client_certificate_of_an_unknown_authority(asking: Asking, ca: Path, tmp_path: Path) -> None:
    auth = client_files(tmp_path, trustme.CA())
    with asking() as running:
        options = UploadOptions(running.url, ca=ca, auth=auth)
        check(options, fails_with(BadCredentials, "does not accept this hub's certificate"))


def test_a_renewed_certificate_is_used_without_a_restart(
    asking: Asking, authority: trustme.CA, ca: Path, tmp_path: Path
) -> None:
    auth = client_files(tmp_path, trustme.CA())
    with asking() as running:

        async def use(client: Client) -> None:
            with pytest.raises(BadCredentials):
                await client.send(parcel())
            before = client.stamp()
            client_files(tmp_path, authority)
            assert client.stamp() != before
            await sends(client)

        check(UploadOptions(running.url, ca=ca, auth=auth), use)


def test_a_key_of_another_certificate(asking: Asking, authority: trustme.CA, ca: Path, tmp_path: Path) -> None:
    auth = client_files(tmp_path, authority)
    authority.issue_cert("x").private_key_pem.write_to_path(str(auth.key))
    with asking() as running:
        check(UploadOptions(running.url, ca=ca, auth=auth), fails_with(BadCredentials, "belong together"))


def test_a_bearer_token_is_read_for_each_request(serve: Serve, ca: Path, tmp_path: Path) -> None:
    with serve() as running:
        options = with_token(UploadOptions(running.url, ca=ca), tmp_path)

        async def use(client: Client) -> None:
            await sends(client)
            before = client.stamp()
            (tmp_path / "token").write_text("another-token\n")
            assert client.stamp() != before
            await sends(client)

        check(options, use)
        assert [seen.headers["authorization"] for seen in running.seen] == [f"Bearer {TOKEN}", "Bearer another-token"]


def test_a_token_that_is_not_there_holds(serve: Serve, ca: Path, tmp_path: Path) -> None:
    with serve() as running:
        options = with_token(UploadOptions(running.url, ca=ca), tmp_path)
        (tmp_path / "token").unlink()
        check(options, fails_with(BadCredentials, "cannot be read"))
        assert running.seen == []


def test_a_credential_without_systemd_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    auth = BearerAuth(SecretRef("credential", "token"))

    async def use(client: Client) -> None:
        assert client.stamp() == ()
        with pytest.raises(BadCredentials, match="systemd"):
            await client.send(parcel())

    check(UploadOptions("http://127.0.0.1:9/", auth=auth), use)


@pytest.mark.parametrize("token", [f"{TOKEN}\nsecond line", f"{TOKEN} x", f"{TOKEN}é", f"{TOKEN}\x00"])
def test_what_cannot_be_a_token_is_not_sent_nor_told(serve: Serve, ca: Path, tmp_path: Path, token: str) -> None:
    with serve() as running:
        check(
            with_token(UploadOptions(running.url, ca=ca), tmp_path, token),
            fails_with(BadCredentials, "signs that no token has"),
        )
        assert running.seen == []


def test_an_answer_that_quotes_the_token_is_redacted(serve: Serve, ca: Path, tmp_path: Path) -> None:
    with serve(lambda _number: 422) as running:
        running.books.quotes = f"bad token {TOKEN}"

        async def use(client: Client) -> None:
            answer = await client.send(parcel())
            assert json.loads(answer.body)["detail"] == "said 422 bad token [redacted]"

        check(with_token(UploadOptions(running.url, ca=ca), tmp_path), use)


def test_a_token_is_in_no_log(
    serve: Serve, ca: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(lambda number: (cloud.OK, cloud.RESET, 401)[number % 3]) as running:

        async def use(client: Client) -> None:
            for _ in range(3):
                with contextlib.suppress(GatewayError):
                    await client.send(parcel())

        check(with_token(UploadOptions(running.url, ca=ca), tmp_path), use)
        assert len(running.seen) == 3
    said = capfd.readouterr()
    assert TOKEN not in caplog.text + said.out + said.err


# ------------------------------------------------------------------------------------------------ OAuth2


def oauth(running: HttpsCloud, ca: Path, folder: Path) -> UploadOptions:
    secret = folder / "secret"
    secret.write_text("p@ss:word\n")
    auth = OAuth2Auth(running.token_url, "hub 7", SecretRef("file", str(secret)), "vitals.write")
    return UploadOptions(running.url, ca=ca, auth=auth)


def grants(*lasts_s: float | None) -> itertools.chain[tuple[int, bytes]]:
    made = (
        {"access_token": f"token-{number}", "token_type": "Bearer"} | ({} if last is None else {"expires_in": last})
        for number, last in enumerate(lasts_s)
    )
    return itertools.chain((200, json.dumps(one).encode()) for one in made)


def test_a_granted_token_is_used_until_it_ends(serve: Serve, ca: Path, tmp_path: Path) -> None:
    clock = FakeClock()
    with serve() as running:
        running.token_answers = grants(3600, None, 10)

        async def use(client: Client) -> None:
            assert len(client.stamp()) == 2  # authority and secret
            for past_s in (0, 3000, 600, 250, 100):
                clock.jump(past_s)
                await sends(client)

        check(oauth(running, ca, tmp_path), use, clock)
        asked = [seen for seen in running.seen if seen.path == "/token"]
        used = [seen.headers["authorization"] for seen in running.seen if seen.path != "/token"]
    assert used == ["Bearer token-0"] * 2 + ["Bearer token-1"] * 2 + ["Bearer token-2"]
    assert asked[0].body == b"grant_type=client_credentials&scope=vitals.write"
    basic = base64.b64decode(asked[0].headers["authorization"].removeprefix("Basic "))
    assert basic == b"hub%207:p%40ss%3Aword"  # RFC 6749 section 2.3.1


def test_a_granted_token_that_is_refused_is_replaced_once(serve: Serve, ca: Path, tmp_path: Path) -> None:
    with serve(lambda number: 401 if number < 1 else cloud.OK) as running:
        running.token_answers = grants(3600, 3600)
        check(oauth(running, ca, tmp_path), sends)
    with serve(lambda _number: 401) as running:
        running.token_answers = grants(3600, 3600, 3600, 3600)

        async def use(client: Client) -> None:
            assert (await client.send(parcel())).status == 401
            assert len(running.seen) == 4

        check(oauth(running, ca, tmp_path), use)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_token_service_that_refuses_holds(serve: Serve, ca: Path, tmp_path: Path, status: int) -> None:
    with serve() as running:
        running.token_answers = iter([(status, b'{"error": "invalid_client"}')])
        check(oauth(running, ca, tmp_path), fails_with(BadCredentials, "client_id and client_secret"))


@pytest.mark.parametrize(
    "answer",
    [
        (503, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"access_token": 5}'),
        (200, b'{"access_token": "x", "expires_in": -5}'),
        (200, b'{"access_token": "x", "expires_in": "soon"}'),
        (200, b'{"access_token": "x", "expires_in": NaN}'),
        (200, b'{"access_token": "x", "expires_in": 1%s}' % (b"0" * 400)),
    ],
)
def test_a_token_service_that_is_ill_is_asked_again(
    serve: Serve, ca: Path, tmp_path: Path, answer: tuple[int, bytes]
) -> None:
    with serve() as running:
        running.token_answers = iter([answer])
        check(oauth(running, ca, tmp_path), fails_with(LinkLost, "asked again"))


# ------------------------------------------------------------------------------------------------ signatures


def test_a_signed_request_verifies(serve: Serve, ca: Path, tmp_path: Path) -> None:
    seed = bytes(range(32))
    (tmp_path / "sign.key").write_text(seed.hex())
    with serve() as running:
        options = UploadOptions(running.url, ca=ca, sign_key=SecretRef("file", str(tmp_path / "sign.key")))
        check(options, sends)
        (seen,) = running.seen
    parameters = seen.headers["signature-input"].removeprefix("sig1=")
    assert f'created={START_MS // 1000};keyid="hub-7";alg="ed25519"' in parameters
    fields = seen.headers | {"@method": "POST", "@target-uri": running.url}
    names = re.findall(r'"([^"]+)"', parameters.split(")")[0])
    base = "".join(f'"{name}": {fields[name]}\n' for name in names) + f'"@signature-params": {parameters}'
    signature = base64.b64decode(seen.headers["signature"].removeprefix("sig1=:").removesuffix(":"))
    Ed25519PrivateKey.from_private_bytes(seed).public_key().verify(signature, base.encode())
    assert unpacked({}, seen.body) == parcel().body


def test_a_signing_key_that_is_not_there_holds(tmp_path: Path) -> None:
    options = UploadOptions("http://127.0.0.1:9/", sign_key=SecretRef("file", str(tmp_path / "none")))
    check(options, fails_with(BadCredentials, "cannot be read"))


# ------------------------------------------------------------------------------------------------ errors


def errors_of_httpx() -> list[type[Exception]]:
    public = (getattr(httpx, name) for name in httpx.__all__)
    return [kind for kind in public if isinstance(kind, type) and issubclass(kind, Exception)]


def made(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    error.args = ("what it quotes",)
    return error


@pytest.mark.parametrize("kind", errors_of_httpx(), ids=lambda kind: kind.__name__)
def test_every_error_of_httpx_becomes_ours(kind: type[Exception]) -> None:
    assert issubclass(kind, FOREIGN)
    ours = translated(made(kind))
    assert ours.remedy in (Remedy.RETRY, Remedy.HOLD)
    assert "quotes" not in str(ours)


def test_errors_below_httpx_become_ours() -> None:
    assert len(errors_of_httpx()) > 20
    for kind in (ConnectionResetError, TimeoutError, ssl.SSLError, UnicodeError):
        assert issubclass(kind, FOREIGN)
        assert translated(kind()).remedy is Remedy.RETRY


@pytest.mark.parametrize("kind", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout])
def test_every_timeout_is_one(kind: type[Exception]) -> None:
    assert isinstance(translated(made(kind)), LinkTimeout)


@given(st.lists(st.sampled_from([httpx.ReadError, OSError, httpx.ConnectError]), max_size=4))
def test_a_tls_fault_is_found_under_any_cause(above: list[type[Exception]]) -> None:
    error: BaseException = ssl.SSLCertVerificationError("not one of ours")
    for kind in above:
        outer = made(kind)
        outer.__cause__ = error
        error = outer
    assert isinstance(error, Exception)
    assert isinstance(translated(error), BadCredentials)


# ------------------------------------------------------------------------------------------------ weight


def test_the_client_imports_no_command_line() -> None:
    script = (
        "import sys, uploader.client; "
        "print(*[name for name in ('click', 'rich', 'pygments', 'h2', 'certifi', 'cryptography', 'anyio') "
        "if name in sys.modules], 'httpx._main' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split() == ["False"]


def test_what_makes_httpx_light_still_stands() -> None:
    """httpx keeps working without its command line, as the client leaves it."""
    done = subprocess.run(
        [sys.executable, "-c", "import uploader.client, httpx; print(httpx.main, httpx.AsyncHTTPTransport)"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert "AsyncHTTPTransport" in done.stdout
