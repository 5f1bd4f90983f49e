"""The backend as hubs and people meet it: a real process, a real socket, real codings."""

import base64
import gzip
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.core.batch import Batch
from gateway.core.record import canonical
from tests.uploader.receiver import samples
from tests.uploader.receiver.conftest import CLIENT, Live
from uploader.envelope import pack
from uploader.receiver.options import Limits
from uploader.signing import signed

PATH = "/api/v1/readings/batches/"
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda plain: gzip.compress(plain, mtime=0),
    "zstd": lambda plain: zstandard.ZstdCompressor().compress(plain),
    "identity": lambda plain: plain,
}
PROBLEM = {"type", "title", "status", "detail"}


def post(backend: Live, content: bytes, **more: str) -> httpx.Response:
    fields = {"Content-Type": "application/json", "Idempotency-Key": "b-1"}
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    return CLIENT.post(backend.url + PATH, content=content, headers=fields)


def digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def small(count: int = 3) -> bytes:
    return samples.batch(samples.chained([samples.reading(day) for day in range(count)]))


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == PROBLEM
    assert answer.json()["status"] == status
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("coding", CODINGS)
def test_each_coding_is_taken(standing: Live, coding: str) -> None:
    content = CODINGS[coding](small())
    answer = post(standing, content, Content_Encoding=coding, Content_Digest=digest(content))
    assert [result["status"] for result in answer.json()["results"]] == ["accepted"] * 3
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_what_the_uploader_packs_is_taken(standing: Live, compress: str) -> None:
    records = samples.chained([samples.reading(day) for day in range(3)], prefix="p")
    ids = tuple(record["record_id"] for record in records)
    parcel = pack(
        Batch("b-packed", canonical({**samples.HUB, "id": "hub-9"}), tuple(map(canonical, records)), ids), compress
    )
    for _ in range(2):
        answer = CLIENT.post(standing.url + PATH, content=parcel.body, headers=parcel.headers)
        assert {result["status"] for result in answer.json()["results"]} == {"accepted"}


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_content_that_is_not_its_digest_is_a_problem(standing: Live, algorithm: str) -> None:
    wrong = base64.b64encode(hashlib.new(algorithm.replace("-", ""), b"other").digest()).decode()
    answer = post(standing, small(), Content_Digest=f"{algorithm}=:{wrong}:")
    assert_problem(answer, 503)  # the same again, later: the batch itself is sound
    assert answer.headers["Retry-After"]
    assert answer.json()["type"].endswith("#digest-mismatching-values")


@pytest.mark.parametrize("field", ["sha-256=abc", "sha-256=:a:", "", "sha-256=:%%%%:"])
def test_a_digest_that_cannot_be_read_is_a_problem(standing: Live, field: str) -> None:
    assert_problem(post(standing, small(), Content_Digest=field), 400)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Encoding": "br"}, 415),
        ({"Content_Encoding": "gzip"}, 400),
        ({"Content_Encoding": "zstd"}, 400),
        ({"Idempotency_Key": "b-2"}, 400),
    ],
)
def test_fields_that_do_not_fit_are_a_problem(standing: Live, fields: dict[str, str], status: int) -> None:
    assert_problem(post(standing, small(), **fields), status)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff{}", 400),
        (b'{"batch_id": "b-1", "batch_id": "b-1"}', 400),
        (b'{"batch_id": "b-1", "n": NaN}', 400),
        (b'{"batch_id": "b-1", "n": -Infinity}', 400),
        (b'{"n": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"batch_id": "b-1", "records": []}', 422),
        (b'{"batch_id": "b-1", "hub": {"id": "h", "site": "home", "software": "s"}}', 422),
        (b'{"batch_id": "b-1", "hub": {"id": "h", "site": "home", "software": "s"}, "records": [7]}', 422),
    ],
)
def test_content_that_is_no_batch_is_a_problem(standing: Live, content: bytes, status: int) -> None:
    assert_problem(post(standing, content), status)


def test_the_idempotency_key_is_needed(standing: Live) -> None:
    answer = CLIENT.post(standing.url + PATH, content=small(), headers={"Content-Type": "application/json"})
    assert_problem(answer, 400)


def test_a_body_beyond_the_limit_is_too_large(standing: Live) -> None:
    assert_problem(post(standing, b" " * (Limits().content_bytes_max + 1)), 413)


def test_a_chunked_body_beyond_the_limit_is_too_large(standing: Live) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(Limits().content_bytes_max // 65536 + 2):
            yield b" " * 65536

    fields = {"Content-Type": "application/json", "Idempotency-Key": "b-1"}
    assert_problem(CLIENT.post(standing.url + PATH, content=chunks(), headers=fields), 413)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_bomb_is_too_large(standing: Live, coding: str) -> None:
    bomb = CODINGS[coding](b" " * (64 * 1024 * 1024))
    assert len(bomb) < 512 * 1024
    assert_problem(post(standing, bomb, Content_Encoding=coding), 413)
    assert post(standing, small()).status_code == 200


def test_too_many_records_are_too_large(standing: Live) -> None:
    record = samples.chained([samples.event()])[0]
    assert_problem(post(standing, samples.batch([record] * (Limits().records_max + 1))), 413)


def test_gzip_cut_short_is_a_problem(standing: Live) -> None:
    assert_problem(post(standing, gzip.compress(small())[:-9], Content_Encoding="gzip"), 400)


def test_a_gzip_of_two_members_is_one_content(standing: Live) -> None:
    whole = small()
    answer = post(standing, gzip.compress(whole[:100]) + gzip.compress(whole[100:]), Content_Encoding="gzip")
    assert answer.status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Bearer", "Basic czNjcmV0", "Bearer s3cret2", "s3cret"])
def test_a_stranger_brings_nothing(guarded: Live, authorization: str) -> None:
    answer = post(guarded, small(), Authorization=authorization)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_lets_in(guarded: Live) -> None:
    assert post(guarded, small(), Authorization="Bearer s3cret").status_code == 200
    assert CLIENT.get(guarded.url).status_code == 401
    assert CLIENT.get(guarded.url, auth=("anyone", "s3cret")).status_code == 200
    assert CLIENT.get(guarded.url, headers={"Authorization": "bearer s3cret"}).status_code == 200
    assert CLIENT.get(guarded.url, auth=("s3cret", "wrong")).status_code == 401
    assert CLIENT.get(guarded.url + "/healthz").status_code == 200


def test_a_token_can_be_rotated_and_a_lost_one_is_tried_again(guarded: Live) -> None:
    token = guarded.store.with_name("token")
    token.write_text("n3w")
    assert post(guarded, small(), Authorization="Bearer n3w").status_code == 200
    assert post(guarded, small(), Authorization="Bearer s3cret").status_code == 401
    token.unlink()
    answer = post(guarded, small(), Authorization="Bearer n3w")
    token.write_text("s3cret")
    assert_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/", "/patients/pt-8842", "/api/v1/hubs", "/api/v1/patients/pt-8842/days"])
def test_a_name_of_the_web_that_points_here_reads_nothing(standing: Live, path: str) -> None:
    post(standing, small())
    assert CLIENT.get(standing.url + path).status_code == 200
    assert_problem(CLIENT.get(standing.url + path, headers={"Host": "evil.example:8100"}), 403)
    assert CLIENT.get(standing.url + path, headers={"Host": "localhost:8100"}).status_code == 200
    assert CLIENT.get(standing.url + path, headers={"Host": "[::1]"}).status_code == 200


def test_what_was_acknowledged_survives_a_kill(live: Live) -> None:
    records = samples.chained([samples.reading(day) for day in range(12)])
    acknowledged: list[str] = []
    for at, record in enumerate(records):
        answer = post(live, samples.batch([record], f"b-{at}"), Idempotency_Key=f"b-{at}")
        acknowledged += [result["record_id"] for result in answer.json()["results"]]
        if at % 4 == 3:
            live.kill()
            live.start()
    again = post(live, samples.batch(records, "again"), Idempotency_Key="again").json()
    assert acknowledged == [record["record_id"] for record in records]
    assert {result["status"] for result in again["results"]} == {"duplicate"}
    assert CLIENT.get(live.url + "/api/v1/patients/pt-8842/days").json()["days_counted"] == 12


def test_a_kill_in_the_middle_of_a_batch_keeps_all_or_nothing(live: Live) -> None:
    content = small(300)
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: b-1\r\n"
    address = httpx.URL(live.url)
    with socket.create_connection((address.host, address.port or 0)) as link:
        link.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        live.kill()  # at whatever moment of the transaction this is
    live.start()
    hubs = CLIENT.get(live.url + "/api/v1/hubs").json()["hubs"]
    assert [hub["records"] for hub in hubs] in ([], [300])
    assert {result["status"] for result in post(live, content).json()["results"]} == {"accepted"}


def test_sigterm_ends_it_in_order(live: Live, tmp_path: Path) -> None:
    post(live, small())
    assert live.stop() == 0
    assert not (tmp_path / "receiver.db-wal").exists()


@pytest.fixture
def signing(tmp_path: Path) -> Iterator[tuple[Live, Ed25519PrivateKey]]:
    """A backend that asks hub-7 to sign, and hub-7's key."""
    key = Ed25519PrivateKey.generate()
    public = tmp_path / "hub-7.pem"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    backend = Live(tmp_path / "receiver.db", "--hub-key", f"hub-7={public}")
    backend.start()
    yield backend, key
    backend.kill()


def test_a_signature_by_the_uploader_holds(signing: tuple[Live, Ed25519PrivateKey]) -> None:
    backend, key = signing
    content = small()
    fields = {"Content-Type": "application/json", "Idempotency-Key": "b-1", "Content-Digest": digest(content)}
    proof = signed(fields, backend.url + PATH, "hub-7", 1_793_534_400, key.sign)
    sent: dict[str, Any] = {**fields, **proof}
    assert CLIENT.post(backend.url + PATH, content=content, headers=sent).status_code == 200
    for changed in ({"Signature": ""}, {"Idempotency-Key": "b-2"}, {"Signature": "sig1=:AAAA:"}):
        answer = CLIENT.post(backend.url + PATH, content=content, headers=sent | changed)
        assert answer.status_code in {400, 401}
    other = signed(fields, backend.url + PATH, "hub-7", 1_793_534_400, Ed25519PrivateKey.generate().sign)
    assert_problem(CLIENT.post(backend.url + PATH, content=content, headers=fields | other), 401)
    elsewhere = signed(fields, "https://other.example/", "hub-7", 1_793_534_400, key.sign)
    assert_problem(CLIENT.post(backend.url + PATH, content=content, headers=fields | elsewhere), 401)


def test_a_hub_without_a_registered_key_need_not_sign(signing: tuple[Live, Ed25519PrivateKey]) -> None:
    backend, _ = signing
    assert_problem(post(backend, small()), 401)
    assert post(backend, json.dumps({**json.loads(small()), "hub": {**samples.HUB, "id": "hub-8"}}).encode()).is_success


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "0.0.0.0:0"], "--token and --tls-cert"),
        (["--listen", "8100"], "HOST:PORT"),
        (["--token", "s3cret"], "never the token itself"),
        (["--token", "file:/nowhere"], "check that the file is there"),
        (["--hub-key", "hub-7=/nowhere"], "public key of hub hub-7"),
        (["--tls-cert", "/nowhere", "--listen", "127.0.0.1:0"], "TLS certificate"),
    ],
)
def test_a_wrong_start_is_told_in_a_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "uploader.receiver", "--store", str(tmp_path / "receiver.db"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode in {69, 78}
    assert words in done.stderr
    assert "Traceback" not in done.stderr
