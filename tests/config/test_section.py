"""The configuration: every mistake at once, each with its path and line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import parse
from gateway.core.errors import ConfigInvalid

GOOD = """
[hub]
id = "hub-7"
site = "home"
timezone = "America/New_York"
[buffer]
path = "/var/lib/vitals-gateway/buffer.db"
size_max_mb = 512
retain_days = 90
key = "credential:buffer.key"
[upload]
url = "http://127.0.0.1:8100/api/v1/readings/batches/"
format = "vitals"
batch_max = 200
batch_wait_s = 0.2
timeout_s = 5
compress = "gzip"
[upload.auth]
kind = "bearer"
token = "file:/etc/vitals-gateway/token"
[[mqtt]]
name = "cell"
url = "mqtt://127.0.0.1:1883"
version = 5
client_id = "hub-7"
topics = [{ filter = "stel/#", driver = "stel" }, { filter = "telli/#", driver = "telli" }]
"""


def mistakes_in(text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        parse(text)
    return caught.value.mistakes


def test_the_contracts_example_is_read() -> None:
    options = parse(GOOD)
    assert options.hub.site == "home"
    assert options.buffer.size_max_bytes == 512_000_000
    assert options.upload is not None
    assert options.upload.batch_wait_s == 0.2
    assert [topic.driver for topic in options.mqtt[0].topics] == ["stel", "telli"]


def test_every_mistake_is_reported_at_once_with_path_and_line() -> None:
    found = mistakes_in(
        '[hub]\nid = "h"\nsite = "moon"\ntimezone = "Mars/Olympus"\nbogus = 1\n'
        '[upload]\nurl = "http://example.org/x"\ntimeout_s = -1\n'
    )
    text = "\n".join(found)
    for line, path in [
        (3, "hub.site"),
        (4, "hub.timezone"),
        (5, "hub.bogus"),
        (7, "upload.url"),
        (8, "upload.timeout_s"),
    ]:
        assert f"line {line}: {path} " in text
    assert "buffer is missing" in text


@pytest.mark.parametrize(
    ("old", "new", "path", "word"),
    [
        ('site = "home"', "site = 3", "hub.site", '"home" or "clinic" or "cloud"'),
        ("retain_days = 90", "retain_days = 0", "buffer.retain_days", "whole number"),
        ("retain_days = 90", "retain_days = true", "buffer.retain_days", "whole number"),
        ("size_max_mb = 512", "size_max_mb = 1", "buffer.size_max_mb", "from 8"),
        ('key = "credential:buffer.key"', 'key = "hunter2"', "buffer.key", "never stands"),
        ('key = "credential:buffer.key"', 'key = "file:relative"', "buffer.key", "absolute"),
        ('path = "/var/lib/vitals-gateway/buffer.db"', 'path = "buffer.db"', "buffer.path", "absolute"),
        ("retain_days", "retain_day", "buffer.retain_day", "did you mean retain_days?"),
        ('"http://127.0.0.1:8100/api/v1/readings/batches/"', '"ftp://x/"', "upload.url", "https://"),
        ('"http://127.0.0.1:8100/api/v1/readings/batches/"', '"https://u:p@x/"', "upload.url", "user or password"),
        ('token = "file:/etc/vitals-gateway/token"', 'token = "abc"', "upload.auth.token", "credential:NAME"),
        ('kind = "bearer"', 'kind = "magic"', "upload.auth.kind", '"bearer"'),
        ('"mqtt://127.0.0.1:1883"', '"mqtt://broker.example:1883"', "mqtt[0].url", "unencrypted"),
        ('"mqtt://127.0.0.1:1883"', '"mqtt://127.0.0.1:0"', "mqtt[0].url", "must be an address"),
        ("version = 5", "version = 4", "mqtt[0].version", "5 or 3"),
        ('driver = "stel" }', 'driver = "no-such" }', "mqtt[0].topics[0].driver", "names no driver"),
        ('driver = "stel" }', 'driver = "ble-weight-scale" }', "mqtt[0].topics[0].driver", "ble devices"),
        ('filter = "stel/#"', 'filter = "stel/#/x"', "mqtt[0].topics[0].filter", "topic filter"),
        ('filter = "stel/#"', 'filter = "stel/a#"', "mqtt[0].topics[0].filter", "topic filter"),
        ('client_id = "hub-7"', 'cert = "/x"', "mqtt[0].cert", "cert and key together"),
    ],
)
def test_one_mistake_is_one_sentence(old: str, new: str, path: str, word: str) -> None:
    found = [mistake for mistake in mistakes_in(GOOD.replace(old, new, 1)) if path in mistake]
    assert len(found) == 1, found
    assert word in found[0]
    assert found[0].endswith((".", "?"))


def test_unencrypted_beyond_this_machine_needs_a_word() -> None:
    beyond = GOOD.replace('url = "mqtt://127.0.0.1:1883"', 'url = "mqtt://broker.example:1883"\ninsecure = true')
    assert parse(beyond).mqtt[0].host == "broker.example"


def test_two_sources_may_not_push_each_other_off() -> None:
    twice = GOOD + GOOD[GOOD.index("[[mqtt]]") :].replace('name = "cell"', 'name = "other"')
    assert any("one client_id" in mistake for mistake in mistakes_in(twice))


def test_what_this_version_cannot_do_is_said() -> None:
    assert any("Bluetooth" in mistake for mistake in mistakes_in(GOOD + "[ble]\nenabled = true\n"))
    assert parse(GOOD + "[ble]\nenabled = false\n").hub.id == "hub-7"


def test_broken_toml_is_one_sentence() -> None:
    assert mistakes_in("[hub\n")[0].startswith("This is not TOML")


@given(st.text(max_size=200))
def test_any_text_is_options_or_mistakes(text: str) -> None:
    with pytest.raises(ConfigInvalid):
        parse(text)


@given(st.integers(0, GOOD.count("\n") - 1))
def test_any_line_left_out_is_options_or_mistakes(number: int) -> None:
    lines = GOOD.splitlines()
    del lines[number]
    found: list[str] = []
    try:
        hub_id = parse("\n".join(lines)).hub.id
    except ConfigInvalid as error:
        hub_id, found = "", error.mistakes
    assert hub_id == "hub-7" or all(found)


def test_a_certificate_may_be_named_as_a_secret_is() -> None:
    bearer = 'kind = "bearer"\ntoken = "file:/etc/vitals-gateway/token"'
    mtls = 'kind = "mtls"\ncert = "/etc/hub.pem"\nkey = "file:/etc/hub.key"'
    options = parse(GOOD.replace(bearer, mtls))
    assert options.upload is not None
    assert str(options.upload.auth).count("/etc/hub") == 2
    named = mistakes_in(GOOD.replace(bearer, mtls.replace("file:/etc/hub.key", "credential:hub.key")))
    assert "which systemd passes" in named[0]
