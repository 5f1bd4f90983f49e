"""
The ledger's record: canonical form and hash chain.

A record is a JSON object whose `hash` is the SHA-256 of its RFC 8785 canonical form without `hash`, and whose `prev`
is the hash of the record before it on this hub. `seq` is gap-free. Changing, dropping or inserting any record breaks
the chain from there on.
"""

import hashlib
import json
from typing import Any

from gateway.core.errors import BadInput

GENESIS = "0" * 64
# RFC 8785 numbers are IEEE 754 doubles: above this an integer would change its value in other languages.
_INTEGER_MAX = 2**53 - 1

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


def canonical(document: Any) -> bytes:
    """
    RFC 8785 canonical JSON.

    Keys are ASCII here, so Python's order is the RFC's (UTF-16). Raises BadInput for a number with a fraction, an
    integer beyond 2**53 - 1, or text that is not Unicode: a record holds fractional quantities as decimal strings.
    """
    check_plain(document)
    return encode_plain(document)


def encode_plain(document: Any) -> bytes:
    """Canonical bytes of a document already known to be plain (`check_plain`)."""
    try:
        return _encode(document).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput("The record holds text that is not Unicode; it cannot be signed.") from error


def check_plain(value: Any) -> None:
    """Raise BadInput unless `value` is made of strings, integers, booleans, null, lists and ASCII-keyed objects."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise BadInput("A record's keys are ASCII text.")
            check_plain(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_plain(inner)
    elif isinstance(value, bool) or value is None or isinstance(value, str):
        return
    elif not isinstance(value, int) or abs(value) > _INTEGER_MAX:
        raise BadInput(f"A record cannot hold {type(value).__name__} {value!r}; write it as a decimal string.")


def chain(body: dict[str, Any], *, record_id: str, type_: str, seq: int, prev: str) -> tuple[dict[str, Any], bytes]:
    """Give a record its place; returns it whole and its canonical bytes with the hash in it."""
    bare = {**body, "record_id": record_id, "type": type_, "seq": seq, "prev": prev}
    digest = hashlib.sha256(encode_plain(bare)).hexdigest()
    whole = {**bare, "hash": digest}
    return whole, encode_plain(whole)


def verify(record: dict[str, Any]) -> bool:
    """Whether a record's hash is that of its content. Raises BadInput where the content has no canonical form."""
    bare = {key: value for key, value in record.items() if key != "hash"}
    return hashlib.sha256(canonical(bare)).hexdigest() == record.get("hash")
