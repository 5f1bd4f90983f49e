import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.core.errors import BadCredentials, NotThere
from gateway.core.secret import SecretRef
from uploader.signing import load_key, signed

# RFC 9421 appendix B.1.4: the test key, as its PKCS #8 body; the seed is its last 32 bytes.
RFC_KEY = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF"
SEED = base64.b64decode(RFC_KEY)[-32:]
HEADERS = {"Content-Type": "application/json", "Content-Digest": "sha-256=:x:", "Idempotency-Key": "k"}
PEM_PRIVATE = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def ref(folder: Path, text: str) -> SecretRef:
    path = folder / "sign.key"
    path.write_text(text)
    return SecretRef("file", str(path))


def test_a_signature_verifies_over_the_base_of_rfc_9421(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    fields = signed(HEADERS, "https://b.example/x", "hub-7", 1_618_884_473, load_key(ref(tmp_path, SEED.hex())))
    parameters = fields["Signature-Input"].removeprefix("sig1=")
    base = (
        '"@method": POST\n"@target-uri": https://b.example/x\n"content-digest": sha-256=:x:\n'
        f'"content-type": application/json\n"idempotency-key": k\n"@signature-params": {parameters}'
    )
    assert parameters == (
        '("@method" "@target-uri" "content-digest" "content-type" "idempotency-key")'
        ';created=1618884473;keyid="hub-7";alg="ed25519"'
    )
    signature = re.fullmatch(r"sig1=:(.+):", fields["Signature"])
    assert signature
    key.public_key().verify(base64.b64decode(signature[1]), base.encode())


def test_the_signature_of_the_rfcs_example(tmp_path: Path) -> None:
    """RFC 9421 appendix B.2.6: base and signature as printed there."""
    base = (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@method": POST\n"@path": /foo\n"@authority": example.com\n'
        '"content-type": application/json\n"content-length": 18\n'
        '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    )
    expected = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    assert base64.b64encode(load_key(ref(tmp_path, SEED.hex()))(base.encode())).decode() == expected


def test_pem_and_hex_are_the_same_key(tmp_path: Path) -> None:
    pem = Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(*PEM_PRIVATE).decode()
    from_pem = load_key(ref(tmp_path, pem))(b"x")
    assert from_pem == load_key(ref(tmp_path, SEED.hex().upper() + "\n"))(b"x")


@pytest.mark.parametrize("text", ["ab", "zz" * 32, "é" * 64, "-----BEGIN NOTHING-----", "ab" * 33])
def test_what_is_no_key_asks_for_a_person(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadCredentials) as caught:
        load_key(ref(tmp_path, text))
    assert text not in str(caught.value)


def test_a_key_of_another_kind_asks_for_a_person(tmp_path: Path) -> None:
    pem = generate_private_key(SECP256R1()).private_bytes(*PEM_PRIVATE).decode()
    with pytest.raises(BadCredentials, match="Ed25519"):
        load_key(ref(tmp_path, pem))


def test_a_key_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotThere):
        load_key(SecretRef("file", str(tmp_path / "none")))


def test_without_the_package_a_person_is_told_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['cryptography.exceptions'] = None\n"
        "from gateway.core.secret import SecretRef\n"
        "from uploader.signing import load_key\n"
        f"load_key(SecretRef('file', {ref(tmp_path, SEED.hex()).name!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=os.environ)
    assert 'NotThere: Signing uploads needs the package "cryptography"' in done.stderr
