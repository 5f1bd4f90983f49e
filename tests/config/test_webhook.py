"""[[webhook]]: who may post what to which path, and every mistake in it."""

from pathlib import Path

import pytest

from config.load import parse
from drivers.transports.webhook_options import Basic, Certificate, Hmac, Token, by_address
from gateway.core.reading import DeviceIdentity
from gateway.core.secret import SecretRef
from tests.config.test_section import GOOD, mistakes_in

HOOK = """
[[webhook]]
name = "stel-cloud"
listen = "0.0.0.0:8443"
path = "/vendor/stel"
driver = "stel"
tls_cert = "/etc/hook.crt"
tls_key = "/etc/hook.key"
token = "file:/etc/token"
"""
LOCAL = HOOK.replace("0.0.0.0", "127.0.0.1").replace("tls_cert", "# tls_cert").replace("tls_key", "# tls_key")
TOKEN = 'token = "file:/etc/token"'
BASIC = '[webhook.basic]\nuser = "u"\npassword = "file:/p"'


def test_a_webhook_is_read() -> None:
    (hook,) = parse(GOOD + HOOK).webhooks
    assert (hook.name, hook.address, hook.path, hook.driver) == (
        "stel-cloud",
        ("0.0.0.0", 8443),
        "/vendor/stel",
        "stel",
    )
    assert hook.credential == Token(SecretRef("file", "/etc/token"))
    assert hook.certificate == Certificate(Path("/etc/hook.crt"), Path("/etc/hook.key"))
    assert hook.device is None


def test_each_way_to_say_who_one_is() -> None:
    ways = {
        f'{TOKEN}\nheader = "X-API-Key"': Token(SecretRef("file", "/etc/token"), "X-API-Key"),
        BASIC: Basic("u", SecretRef("file", "/p")),
        'hmac = "credential:k"\nhmac_header = "X-Signature"': Hmac(SecretRef("credential", "k"), "X-Signature"),
    }
    for text, credential in ways.items():
        assert parse(GOOD + HOOK.replace(TOKEN, text)).webhooks[0].credential == credential
    assert parse(GOOD + LOCAL.replace(TOKEN, 'auth = "none"')).webhooks[0].credential is None


def test_a_device_may_be_named() -> None:
    named = HOOK + 'device = "withings:00-24-e4-11-22-33"\n'
    assert parse(GOOD + named).webhooks[0].device == DeviceIdentity(id="withings:00-24-e4-11-22-33")


def test_several_share_an_address() -> None:
    other = HOOK.replace("stel-cloud", "other").replace("/vendor/stel", "/other")
    third = LOCAL.replace("stel-cloud", "third")
    hooks = parse(GOOD + HOOK + other + third).webhooks
    assert [[hook.name for hook in group] for group in by_address(hooks)] == [["stel-cloud", "other"], ["third"]]


@pytest.mark.parametrize(
    ("old", "new", "path", "word"),
    [
        ('tls_cert = "/etc/hook.crt"', "", "webhook[0].tls_key", "together"),
        ('"0.0.0.0:8443"', '"0.0.0.0"', "webhook[0].listen", "HOST:PORT"),
        ('"0.0.0.0:8443"', '"0.0.0.0:0"', "webhook[0].listen", "HOST:PORT"),
        ('"/vendor/stel"', '"vendor"', "webhook[0].path", "/vendor/stel"),
        ('"/vendor/stel"', '"/vendor?key=1"', "webhook[0].path", "without a query"),
        ('driver = "stel"', 'driver = "ble-weight-scale"', "webhook[0].driver", "ble devices"),
        (TOKEN, "", "webhook[0] ", "exactly one"),
        (TOKEN, f'{TOKEN}\nhmac = "file:/k"\nhmac_header = "X"', "webhook[0] ", "exactly one"),
        (TOKEN, 'auth = "none"', "webhook[0].auth", "others can reach"),
        (TOKEN, 'token = "hunter2"', "webhook[0].token", "never stands"),
        (TOKEN, f'{TOKEN}\nheader = "X API"', "webhook[0].header", "X-API-Key"),
        (TOKEN, f'{BASIC}\nrealm = "x"', "webhook[0].basic.realm", "not a known key"),
        (TOKEN, '[webhook.basic]\nuser = "a:b"\npassword = "file:/p"', "webhook[0].basic.user", "without a colon"),
        (TOKEN, 'hmac = "file:/k"', "webhook[0].hmac_header", "missing"),
        (TOKEN, f'{TOKEN}\nhmac_header = "X"', "webhook[0].hmac_header", "no hmac"),
        (TOKEN, 'header = "X"\nauth = "none"', "webhook[0].header", "no token"),
        (TOKEN, f'{TOKEN}\ndevice = "scale"', "webhook[0].device", "NAMESPACE:ID"),
    ],
)
def test_one_mistake_is_one_sentence(old: str, new: str, path: str, word: str) -> None:
    found = [mistake for mistake in mistakes_in(GOOD + HOOK.replace(old, new, 1)) if path in mistake]
    assert len(found) == 1, found
    assert word in found[0]
    assert found[0].startswith("line ")


def test_beyond_this_machine_needs_tls() -> None:
    assert parse(GOOD + LOCAL).webhooks[0].certificate is None
    (mistake,) = mistakes_in(GOOD + LOCAL.replace("127.0.0.1", "10.0.0.1"))
    assert "webhook[0].listen reaches beyond this machine" in mistake


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"/vendor/stel": "/other"}, "two sources of one name"),
        ({"stel-cloud": "other"}, "one path at one address"),
        ({"stel-cloud": "other", "/vendor/stel": "/other", "hook.crt": "other.crt"}, "two certificates"),
    ],
)
def test_two_may_not_stand_in_each_others_way(changed: dict[str, str], word: str) -> None:
    other = HOOK
    for old, new in changed.items():
        other = other.replace(old, new)
    (mistake,) = mistakes_in(GOOD + HOOK + other)
    assert word in mistake
