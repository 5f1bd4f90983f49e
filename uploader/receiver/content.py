"""
From the bytes of a request to its JSON document: digest, content coding, limits, strict JSON. Pure.

The digest is that of the bytes as sent, before the coding is undone (RFC 9530, section 2).
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import zlib
from typing import Any, NoReturn

from uploader.receiver.problem import Problem, bad_request, too_large

_GZIP = 16 + zlib.MAX_WBITS
# zstd lets a frame ask for a window as large as it likes; 8 MiB is what RFC 8878, section 3.1.1.1.2, recommends.
_ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024
_DIGEST = re.compile(r"(?:^|,)\s*([a-z0-9-]+)=:([A-Za-z0-9+/=]*):\s*(?=,|$)")
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
# The problem type of draft-ietf-httpapi-digest-fields-problem-types.
_DIGEST_PROBLEM = "https://iana.org/assignments/http-problem-types#digest-mismatching-values"


def check_digest(content: bytes, header: str) -> None:
    """Raise Problem unless every digest of the field that we can compute is that of the content."""
    found = _DIGEST.findall(header)
    if not found:
        raise bad_request("The Content-Digest field cannot be read; write it as RFC 9530 says: sha-256=:BASE64:.")
    for name, encoded in found:
        try:
            claimed = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise bad_request("The Content-Digest field does not hold base64; write it as RFC 9530 says.") from error
        if name in _DIGESTS and not hmac.compare_digest(claimed, _DIGESTS[name](content).digest()):
            detail = "The content is not what its digest says: it was damaged on the way; send it again."
            # not 400, which says that the batch is bad: a hub would halve it and set a sound record aside
            raise Problem(503, "Digest does not match", detail, kind=_DIGEST_PROBLEM, headers={"Retry-After": "1"})


def decoded(content: bytes, coding: str, bytes_max: int) -> bytes:
    """The content with its coding undone, never more than `bytes_max`; raises Problem 400, 413 or 415."""
    match coding.strip().lower():
        case "" | "identity":
            body = content
        case "gzip":
            body = _gunzip(content, bytes_max)
        case "zstd":
            body = _unzstd(content, bytes_max)
        case _:
            detail = "This content coding is not known here; send gzip, zstd or none."
            raise Problem(415, "Unknown content coding", detail, headers={"Accept-Encoding": "gzip, zstd, identity"})
    if len(body) > bytes_max:
        raise too_large(f"The batch is larger than {bytes_max} bytes once unpacked; send it in smaller ones.")
    return body


def _gunzip(content: bytes, bytes_max: int) -> bytes:
    """All members of a gzip file, cut one byte above the limit."""
    body = b""
    try:
        while content and len(body) <= bytes_max:
            member = zlib.decompressobj(_GZIP)
            body += member.decompress(content, bytes_max + 1 - len(body))
            if not member.eof and len(body) <= bytes_max:
                raise bad_request("The gzip content ends too early; send it whole.")
            content = member.unused_data
    except zlib.error as error:
        raise bad_request("The content is not gzip, though its Content-Encoding says so.") from error
    return body


def _unzstd(content: bytes, bytes_max: int) -> bytes:
    """A zstd frame, cut one byte above the limit; one that ends too early is found by its broken JSON."""
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).stream_reader(content)
    try:
        return reader.read(bytes_max + 1)
    except zstandard.ZstdError as error:
        raise bad_request("The content is not zstd, though its Content-Encoding says so.") from error


def parse(body: bytes) -> Any:
    """Strict JSON (RFC 8259): UTF-8, no name twice in one object, no NaN, no infinity; raises Problem 400."""
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise bad_request("The content is not UTF-8, which JSON must be.") from error
    except (ValueError, RecursionError) as error:
        raise bad_request("The content is not JSON that can be read; send one JSON document.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    whole = dict(pairs)
    if len(whole) != len(pairs):
        raise bad_request("A name stands twice in one JSON object; which of the two is meant cannot be known.")
    return whole


def _no_constant(_name: str) -> NoReturn:
    raise bad_request("NaN and infinity are no JSON numbers; values are decimal strings.")
