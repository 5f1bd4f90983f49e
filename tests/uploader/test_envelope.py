import base64
import gzip
import hashlib
import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.batch import Batch
from gateway.core.errors import ConfigInvalid
from gateway.core.record import canonical
from tests.fakes.cloud import unpacked
from uploader.envelope import content, pack

HUB = canonical({"id": "hub-7", "site": "home", "software": "vitals-gateway/0.1.0"})
COMPRESS = ["zstd", "gzip", "none"]
documents = st.dictionaries(st.sampled_from("abcdef"), st.text() | st.integers(-9, 9) | st.none(), max_size=4)


def batch_of(records: list[dict[str, object]]) -> Batch:
    ids = tuple(str(number) for number in range(len(records)))
    return Batch("01HF", HUB, tuple(canonical(record) for record in records), ids)


@given(st.lists(documents, max_size=5))
def test_content_is_canonical_and_whole(records: list[dict[str, object]]) -> None:
    made = content(batch_of(records))
    document = json.loads(made)
    assert document == {"batch_id": "01HF", "hub": json.loads(HUB), "records": records}
    assert canonical(document) == made


def test_stored_bytes_go_out_as_they_are() -> None:
    odd = b'{"b": 1, "a":1.50}'
    assert odd in content(Batch("k", HUB, (odd,), ("a",)))


@given(st.lists(documents, max_size=5), st.sampled_from(COMPRESS))
def test_a_retry_is_byte_identical(records: list[dict[str, object]], compress: str) -> None:
    first, second = (pack(batch_of(records), compress) for _ in range(2))
    assert first == second
    assert unpacked(first.headers, first.body) == content(batch_of(records))


@pytest.mark.parametrize("compress", COMPRESS)
def test_headers_describe_the_bytes(compress: str) -> None:
    parcel = pack(batch_of([{"a": "x" * 999}]), compress)
    digest = base64.b64encode(hashlib.sha256(parcel.body).digest()).decode()
    assert parcel.headers["Content-Digest"] == f"sha-256=:{digest}:"
    assert parcel.headers["Idempotency-Key"] == "01HF"
    assert parcel.headers["Content-Type"] == "application/json"
    assert parcel.headers.get("Content-Encoding") == (None if compress == "none" else compress)


def test_gzip_carries_no_time() -> None:
    body = pack(batch_of([{}]), "gzip").body
    assert body[:2] == b"\x1f\x8b"
    assert body[4:8] == bytes(4)
    assert json.loads(gzip.decompress(body))["batch_id"] == "01HF"


def test_zstd_says_its_size() -> None:
    parcel = pack(batch_of([{}]), "zstd")
    assert zstandard.frame_content_size(parcel.body) == len(content(batch_of([{}])))


def test_an_unknown_coding_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigInvalid, match="zstd"):
        pack(batch_of([]), "brotli")
