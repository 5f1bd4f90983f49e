"""Bytes to JSON, and what stands in the way."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from uploader.receiver import content
from uploader.receiver.problem import Problem
from uploader.receiver.signature import Message, check_signature, public_key_bytes

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda plain: zstandard.ZstdCompressor().compress(plain),
    "identity": lambda plain: plain,
    "": lambda plain: plain,
}


@given(plain=st.binary(max_size=2000), coding=st.sampled_from(sorted(PACK)), limit=st.integers(1, 2000))
def test_content_comes_back_whole_or_is_too_large(plain: bytes, coding: str, limit: int) -> None:
    packed = PACK[coding](plain)
    if len(plain) <= limit:
        assert content.decoded(packed, coding, limit) == plain
    else:
        with pytest.raises(Problem) as caught:
            content.decoded(packed, coding, limit)
        assert caught.value.status_code == 413


def status_of(packed: bytes, coding: str) -> int:
    try:
        content.parse(content.decoded(packed, coding, 10_000))
    except Problem as problem:
        return problem.status_code
    return 200


@given(noise=st.binary(max_size=200), coding=st.sampled_from(sorted(PACK)))
def test_noise_is_content_or_a_problem(noise: bytes, coding: str) -> None:
    assert status_of(noise, coding) in {200, 400, 413}


def test_a_window_beyond_all_memory_is_a_problem() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    packed = packer.compress(b"x" * 100_000) + packer.flush()
    with pytest.raises(Problem):
        content.decoded(packed, "zstd", 200_000)


leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(documents)
def test_any_document_comes_back(document: Any) -> None:
    assert content.parse(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")) == document


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"b":{"a":1,"a":2}}]', "NaN", "[Infinity]", "1 2", "'x'", ""])
def test_loose_json_is_a_problem(text: str) -> None:
    with pytest.raises(Problem):
        content.parse(text.encode())


def test_members_of_gzip_are_bounded_together() -> None:
    many = zlib.compress(b"x" * 600, wbits=31) * 3
    with pytest.raises(Problem) as caught:
        content.decoded(many, "gzip", 1000)
    assert caught.value.status_code == 413


# RFC 9421, appendix B.1.4 and B.2.6: the test key and a message signed with it.
RFC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----"""
RFC_SIGNATURE = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="


def test_a_key_is_read_in_each_form() -> None:
    raw = public_key_bytes(RFC_KEY)
    assert raw == public_key_bytes(raw.hex()) == public_key_bytes("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n")
    with pytest.raises(ValueError, match="32 bytes"):
        public_key_bytes("AAAA")


def test_a_signature_that_covers_too_little_does_not_hold() -> None:
    # Valid by the RFC's own numbers, but without the Idempotency-Key: it could be put under another batch.
    covered = '("date" "@method" "@path" "@authority" "content-type" "content-length")'
    fields = {
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "content-type": "application/json",
        "content-length": "18",
        "signature-input": f'sig-b26={covered};created=1618884473;keyid="test-key-ed25519"',
        "signature": f"sig-b26=:{RFC_SIGNATURE}:",
    }
    message = Message("POST", "http://example.com/foo", "example.com", "http", "/foo", "", fields)
    with pytest.raises(Problem) as caught:
        check_signature(message, public_key_bytes(RFC_KEY))
    assert caught.value.status_code == 401
    check_signature(message, public_key_bytes(RFC_KEY), must_cover=frozenset({"@method"}))
