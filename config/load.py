"""
TOML to frozen options, all mistakes at once.

Every key, its unit and its meaning stand in `config/example.toml` and docs/configuration.md; a test holds the three
together.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from buffer.options import BufferOptions
from config.section import Lines, Section, is_loopback, listen_address, secret_ref
from config.serial import read_serial
from config.webhook import read_webhooks
from drivers import registry
from drivers.contract import Driver, Link
from drivers.transports.mqtt_options import MqttOptions, Topic, filter_mistake
from drivers.transports.serial_options import SerialOptions
from drivers.transports.webhook_options import WebhookOptions
from gateway.core.errors import ConfigInvalid, NotThere
from gateway.core.secret import SecretRef
from uploader.options import Auth, BearerAuth, MtlsAuth, NoAuth, OAuth2Auth, UploadOptions

SITES = ("home", "clinic", "cloud")
_SIZE_MB_LEAST = 8  # below this the schema, the headroom and the write-ahead log leave no room for readings
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_LATER = {
    "ble": "asks for Bluetooth, which is not part of this version; leave it out, or set enabled = false",
    "console": "asks for a page that is not part of this version; leave it out, or set enabled = false",
}


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Which hub this is and where it stands; `zone` is the civil time of its patients."""

    id: str
    site: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Options:
    """The whole configuration. Without `upload` the hub keeps everything and sends nothing."""

    hub: HubOptions
    buffer: BufferOptions
    upload: UploadOptions | None
    mqtt: tuple[MqttOptions, ...]
    webhooks: tuple[WebhookOptions, ...]
    serial: tuple[SerialOptions, ...]
    metrics: tuple[str, int] | None
    mapped: tuple[Driver, ...] = ()


def load(path: Path) -> Options:
    """Read a configuration; raises ConfigInvalid with every mistake in it, each with its path and line."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigInvalid([f"The configuration {path} cannot be read; name another with --config."]) from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid([f"The configuration {path} is not UTF-8 text."]) from error
    try:
        return parse(text)
    except ConfigInvalid as error:
        raise ConfigInvalid([f"{path}: {mistake}" for mistake in error.mistakes]) from error


def parse(text: str) -> Options:
    """Options from TOML text; raises ConfigInvalid."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid([f"This is not TOML: {error}."]) from error
    mistakes: list[str] = []
    top = Section(document, "", Lines(text), mistakes)
    mapped = _mapped(top, mistakes)
    driver = partial(_driver, registry.lookup(mapped))
    hub = _hub(_needed(top, "hub"))
    options = Options(
        hub=hub,
        buffer=_buffer(_needed(top, "buffer")),
        upload=_upload(top),
        mqtt=_mqtt(top, hub, driver),
        webhooks=read_webhooks(top, driver),
        serial=read_serial(top, registry.lookup(mapped)),
        metrics=_metrics(top),
        mapped=mapped,
    )
    _not_yet(top)
    top.end()
    if mistakes:
        raise ConfigInvalid(mistakes)
    return options


def _needed(top: Section, key: str) -> Section:
    found = top.table(key)
    if found is None:
        top.wrong(key, f"is missing; begin it with [{key}]")
        # keys inside are not asked for one by one: the table as a whole is the mistake
        return Section({}, key, Lines(""), [])
    return found


def _hub(table: Section) -> HubOptions:
    hub_id = table.text("id", "hub", required=True)
    site = table.choice("site", SITES, "home", required=True)
    zone = table.get("timezone", _zone, ZoneInfo("UTC"), required=True) or ZoneInfo("UTC")
    table.end()
    return HubOptions(hub_id, site, zone)


def _zone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        raise ValueError('must be a time zone of the IANA list, for example "America/New_York"') from error


def _buffer(table: Section) -> BufferOptions:
    path = table.file("path", required=True) or Path("/")
    size_max_mb = table.whole("size_max_mb", 512, least=_SIZE_MB_LEAST)
    retain_days = table.whole("retain_days", 90)
    key = table.get("key", _buffer_key, required=True)
    table.end()
    return BufferOptions(path=path, size_max_bytes=size_max_mb * 1_000_000, retain_days=retain_days, key=key)


def _buffer_key(value: Any) -> SecretRef | None:
    return None if value == "none" else secret_ref(value)


def _upload(top: Section) -> UploadOptions | None:
    table = top.table("upload")
    if table is None:
        return None
    url = table.url("url", ("https", "http"), ("http",))
    options = UploadOptions(
        url=url.geturl() if url else "",
        format=table.choice("format", ("vitals", "fhir"), "vitals"),
        batch_max=table.whole("batch_max", 200, most=1000),
        batch_wait_s=table.number("batch_wait_s", 2.0, above=-0.001, most=3600),
        timeout_s=table.number("timeout_s", 30.0, most=600),
        compress=table.choice("compress", ("zstd", "gzip", "none"), "gzip"),
        auth=_auth(table),
        ca=table.pem("ca"),
        insecure=table.flag("insecure"),
        sign_key=table.secret("sign_key"),
    )
    table.end()
    return options


def _auth(upload: Section) -> Auth:
    table = upload.table("auth")
    if table is None:
        return NoAuth()
    makers: dict[str, Callable[[Section], Auth]] = {
        "bearer": _bearer,
        "oauth2": _oauth2,
        "mtls": _mtls,
        "none": lambda _table: NoAuth(),
    }
    kind = table.choice("kind", tuple(makers), required=True)
    auth = makers[kind](table) if kind else NoAuth()
    if kind:
        table.end()
    return auth


def _bearer(table: Section) -> Auth:
    token = table.secret("token", required=True)
    return BearerAuth(token) if token else NoAuth()


def _oauth2(table: Section) -> Auth:
    url = table.url("token_url", ("https", "http"), ("http",))
    client_id = table.text("client_id", required=True)
    secret = table.secret("client_secret", required=True)
    scope = table.text("scope") or None
    return OAuth2Auth(url.geturl(), client_id, secret, scope) if url and secret else NoAuth()


def _mtls(table: Section) -> Auth:
    cert, key = table.pem("cert", required=True), table.pem("key", required=True)
    return MtlsAuth(cert, key) if cert and key else NoAuth()


def _mapped(top: Section, mistakes: list[str]) -> tuple[Driver, ...]:
    """The drivers of the mapping files; what is wrong in one is a mistake of the configuration."""
    found: dict[str, Driver] = {}
    for table in top.tables("mapping"):
        from config.mapping import load_mapping  # only where a hub is described

        path = table.file("file", required=True)
        table.end()
        try:
            driver = load_mapping(path).driver if path else None
        except ConfigInvalid as error:
            mistakes += error.mistakes
            continue
        if driver and driver.name in found:
            table.wrong("file", "describes a driver that another mapping has the name of")
        elif driver:
            found[driver.name] = driver
    return tuple(found.values())


def _mqtt(top: Section, hub: HubOptions, driver: Callable[[Any], str]) -> tuple[MqttOptions, ...]:
    sources = tuple(_mqtt_source(table, hub, driver) for table in top.tables("mqtt"))
    names = [source.name for source in sources]
    clients = [(source.host, source.port, source.client_id) for source in sources]
    if len(set(names)) != len(names):
        top.wrong("mqtt", "has two sources of one name; give each its own")
    if len(set(clients)) != len(clients):
        top.wrong("mqtt", "has two sources with one client_id at one broker; they would push each other off")
    return sources


def _mqtt_source(table: Section, hub: HubOptions, driver: Callable[[Any], str]) -> MqttOptions:
    url = table.url("url", tuple(_PORTS), ("mqtt",))
    tls = url is not None and url.scheme == "mqtts"
    options = MqttOptions(
        name=table.text("name", "mqtt", required=True),
        host=(url.hostname or "") if url else "",
        port=(url.port or _PORTS[url.scheme]) if url else 1883,
        tls=tls,
        version=table.choice("version", (5, 3), 5),
        client_id=table.text("client_id", hub.id),
        username=table.text("username") or None,
        password=table.secret("password"),
        ca=table.pem("ca"),
        cert=table.pem("cert"),
        key=table.pem("key"),
        topics=_topics(table, driver),
    )
    if not tls and (options.ca or options.cert or options.key):
        table.wrong("url", "is not mqtts://, so ca, cert and key would not be used")
    if (options.cert is None) != (options.key is None):
        table.wrong("cert" if options.cert else "key", "needs cert and key together")
    table.end()
    return options


def _topics(table: Section, driver_named: Callable[[Any], str]) -> tuple[Topic, ...]:
    found = []
    for entry in table.tables("topics"):
        filter_ = entry.get("filter", _filter, required=True)
        driver = entry.get("driver", driver_named, required=True)
        entry.end()
        if filter_ and driver:
            found.append(Topic(filter_, driver))
    if not table.has("topics"):
        table.wrong("topics", 'is missing; for example topics = [{ filter = "stel/#", driver = "stel" }]')
    return tuple(found)


def _filter(value: Any) -> str:
    if not isinstance(value, str) or filter_mistake(value):
        raise ValueError('must be an MQTT topic filter, for example "stel/#", or "$share/group/stel/#"')
    return value


def _driver(named: Callable[[str], Driver], value: Any) -> str:
    try:
        driver = named(value if isinstance(value, str) else "")
    except NotThere as error:
        raise ValueError("names no driver; `vitals-gateway drivers` lists them") from error
    if driver.link is not Link.MQTT:
        raise ValueError(f"names a driver of {driver.link} devices; MQTT messages need another")
    return driver.name


def _metrics(top: Section) -> tuple[str, int] | None:
    table = top.table("metrics")
    if table is None:
        return None
    listen = table.get("listen", listen_address, ("127.0.0.1", 9464))
    if listen and not is_loopback(listen[0]):
        table.wrong("listen", "must stay on loopback: metrics are read without TLS")
    table.end()
    return listen


def _not_yet(top: Section) -> None:
    for key in ("ble", "console"):
        table = top.table(key)
        if table is not None and table.flag("enabled", default=True):
            top.wrong(key, _LATER[key])
