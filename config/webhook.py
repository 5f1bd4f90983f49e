"""The [[webhook]] tables: who may post what to which path."""

import re
from collections.abc import Callable
from typing import Any

from config.section import Section, is_loopback, listen_address
from drivers.transports.webhook_options import Basic, Certificate, Credential, Hmac, Token, WebhookOptions, by_address
from gateway.core.reading import DeviceIdentity

_WAYS = ("token", "basic", "hmac", "auth")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, 5.6.2: a token
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,255}")  # RFC 3986, 3.3
_DEVICE = re.compile(r"[a-z0-9-]{1,32}:[!-~]{1,128}")


def read_webhooks(top: Section, driver: Callable[[Any], str]) -> tuple[WebhookOptions, ...]:
    """Every source vendors post to; `driver` checks the name of one."""
    found = tuple(_webhook(table, driver) for table in top.tables("webhook"))
    names = [source.name for source in found]
    if len(set(names)) != len(names):
        top.wrong("webhook", "has two sources of one name; give each its own")
    for group in by_address(found):
        if len({source.path for source in group}) != len(group):
            top.wrong("webhook", "has two sources with one path at one address; give each its own")
        if len({source.certificate for source in group}) > 1:
            top.wrong("webhook", "has two certificates at one address; the sources there share tls_cert and tls_key")
    return found


def _webhook(table: Section, driver: Callable[[Any], str]) -> WebhookOptions:
    host, port = table.get("listen", listen_address, required=True) or ("127.0.0.1", 0)
    certificate = _certificate(table)
    if certificate is None and not is_loopback(host):
        table.wrong("listen", "reaches beyond this machine, so it needs tls_cert and tls_key")
    options = WebhookOptions(
        name=table.text("name", "webhook", required=True),
        host=host,
        port=port,
        path=table.get("path", _path, required=True) or "/",
        driver=table.get("driver", driver, required=True) or "",
        credential=_credential(table, host),
        certificate=certificate,
        device=table.get("device", device_id),
    )
    table.end()
    return options


def _certificate(table: Section) -> Certificate | None:
    cert, key = table.pem("tls_cert"), table.pem("tls_key")
    if (cert is None) != (key is None):
        table.wrong("tls_cert" if cert else "tls_key", "needs tls_cert and tls_key together")
    return Certificate(cert, key) if cert and key else None


def _credential(table: Section, host: str) -> Credential | None:
    given = [way for way in _WAYS if table.has(way)]
    if len(given) != 1:
        table.wrong("", 'needs exactly one of token, basic, hmac, or auth = "none" on this machine')
    if table.has("auth") and table.choice("auth", ("none",)) and not is_loopback(host):
        table.wrong("auth", "leaves a source open that others can reach; agree on a token, basic or hmac")
    token, keyed, basic = table.secret("token"), table.secret("hmac"), _basic(table)
    header = table.get("header", _header)
    if header and not table.has("token"):
        table.wrong("header", "names where the token stands, and there is no token")
    hmac_header = table.get("hmac_header", _header, required=table.has("hmac"))
    if hmac_header and not table.has("hmac"):
        table.wrong("hmac_header", "names where the signature stands, and there is no hmac")
    if token:
        return Token(token, header)
    if keyed and hmac_header:
        return Hmac(keyed, hmac_header)
    return basic


def _basic(webhook: Section) -> Basic | None:
    table = webhook.table("basic")
    if table is None:
        return None
    user, password = table.get("user", _user, required=True), table.secret("password", required=True)
    table.end()
    return Basic(user, password) if user and password else None


def _user(value: Any) -> str:
    if not isinstance(value, str) or not value or ":" in value or not value.isprintable():
        raise ValueError("must be text without a colon")
    return value


def _header(value: Any) -> str:
    if not isinstance(value, str) or not _HEADER.fullmatch(value):
        raise ValueError('must be the name of a header, for example "X-API-Key"')
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError('must be a path without a query, for example "/vendor/stel"')
    return value


def device_id(value: Any) -> DeviceIdentity:
    """A device as a technician writes it; raises ValueError."""
    if not isinstance(value, str) or not _DEVICE.fullmatch(value):
        raise ValueError('must be "NAMESPACE:ID", for example "withings:00-24-e4-11-22-33"')
    return DeviceIdentity(id=value)
