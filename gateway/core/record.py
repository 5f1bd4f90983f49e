"""
The ledger's record: canonical form and hash chain.

A record is a JSON object whose `hash` is the SHA-256 of its RFC 8785 canonical form without `hash`, and whose `prev`
is the hash of the record before it on this hub. `seq` is gap-free. Changing, dropping or inserting any record breaks
the chain from there on.
"""

import hashlib
from typing import Any

import orjson

from gateway.core.errors import BadInput

GENESIS = "0" * 64
# RFC 8785 numbers are IEEE 754 doubles: above this an integer would change its value in other languages.
_INTEGER_MAX = 2**53 - 1

# What needs no closer look: the types most values in a record have.
_LEAVES = frozenset({str, bool, type(None)})

# orjson writes what RFC 8785 asks for, given what `check_plain` lets through; tests hold it to another implementation.
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


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
        return orjson.dumps(document, option=_SORTED)
    except TypeError as error:
        raise BadInput("The record holds text that is not Unicode; it cannot be signed.") from error


def check_plain(value: Any) -> None:
    """Raise BadInput unless `value` is made of strings, integers, booleans, null, lists and ASCII-keyed objects."""
    if isinstance(value, dict):
        try:
            is_ascii = "".join(value).isascii()
        except TypeError:
            is_ascii = False
        if not is_ascii:
            raise BadInput("A record's keys are ASCII text.")
        for inner in value.values():
            if type(inner) not in _LEAVES and not isinstance(inner, str):
                check_plain(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            if type(inner) not in _LEAVES:
                check_plain(inner)
    elif type(value) not in _LEAVES and not isinstance(value, str):
        _check_integer(value)


def _check_integer(value: Any) -> None:
    if not isinstance(value, int):
        raise BadInput(f"A record cannot hold a {type(value).__name__}; write it as a decimal string.")
    if abs(value) > _INTEGER_MAX:
        raise BadInput("A record cannot hold an integer beyond 2**53 - 1; write it as a decimal string.")


def chain(body: dict[str, Any], *, record_id: str, type_: str, seq: int, prev: str) -> tuple[bytes, str]:
    """
    Give a record its place; returns its canonical bytes with the hash in it, and the hash.

    The keys before and after `hash` are encoded apart, so that each is encoded once for both forms. Raises BadInput
    where the body has no canonical form.
    """
    check_plain(body)
    before = {key: value for key, value in body.items() if key < "hash"}
    after = {key: value for key, value in body.items() if key > "hash"}
    after.update(record_id=record_id, type=type_, seq=seq, prev=prev)
    head = encode_plain(before)[:-1] + b"," if before else b"{"
    tail = encode_plain(after)[1:]
    digest = hashlib.sha256(head + tail).hexdigest()
    return b'%b"hash":"%b",%b' % (head, digest.encode(), tail), digest


def verify(record: dict[str, Any]) -> bool:
    """Whether a record's hash is that of its content. Raises BadInput where the content has no canonical form."""
    bare = {key: value for key, value in record.items() if key != "hash"}
    return hashlib.sha256(canonical(bare)).hexdigest() == record.get("hash")
