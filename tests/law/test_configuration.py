"""Law: every option stands in config/example.toml and in docs/configuration.md; the example is a configuration."""

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from config import load
from tests.law.source import ROOT, listed, tree

EXAMPLE = ROOT / "config" / "example.toml"
DOCUMENT = ROOT / "docs" / "configuration.md"
_READS = frozenset(
    {"text", "choice", "number", "whole", "flag", "file", "secret", "url", "get", "table", "tables", "has"}
)
_COMMENTED = re.compile(r"^# (\w+ = .+)$", re.MULTILINE)


def options() -> set[str]:
    """Every key the loader asks for."""
    found = {
        key
        for name in ("load.py", "section.py", "webhook.py", "serial.py")
        for node in ast.walk(tree(ROOT / "config" / name))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READS
        for key in _first_word(node)
    }
    return found | {"ble", "console", "serial", "webhook"}


def _first_word(call: ast.Call) -> Iterator[str]:
    if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
        yield call.args[0].value


def shown(text: str, key: str) -> bool:
    """Whether TOML text shows a key or a table, written out or commented out."""
    as_key = re.search(rf"^(# |    \{{ .*)?{key} = |\b{key} = ", text, re.MULTILINE)
    return bool(as_key or re.search(rf"\[(\w+\.)?{key}\]", text))


def test_the_loader_is_read_aright() -> None:
    assert {"id", "site", "size_max_mb", "token_url", "filter", "insecure", "listen"} <= options()


def test_the_example_loads() -> None:
    made = load.parse(EXAMPLE.read_text(encoding="utf-8"))
    assert made.hub.id == "hub-7"
    assert made.upload is not None
    assert [source.name for source in made.mqtt] == ["cell"]
    assert [source.name for source in made.webhooks] == ["stel-cloud"]
    assert [source.name for source in made.serial] == ["desk"]
    assert made.metrics == ("127.0.0.1", 9464)


def test_the_example_shows_every_option() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    breaches = sorted(key for key in options() if not shown(text, key))
    assert not breaches, listed(breaches, "These options are missing in config/example.toml.")


def test_the_document_explains_every_option() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    breaches = sorted(key for key in options() if not re.search(rf"`(\[\[?)?(\w+\.)?{key}(\]\]?)?`", text))
    assert not breaches, listed(breaches, "These options are missing in docs/configuration.md.")


def test_what_is_commented_out_is_toml() -> None:
    lines = _COMMENTED.findall(EXAMPLE.read_text(encoding="utf-8"))
    assert len(lines) > 5
    for line in lines:
        assert tomllib.loads(line)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [("oauth2", ("token_url", "client_id", "client_secret", "scope")), ("mtls", ("cert", "key")), ("none", ())],
)
def test_every_kind_of_auth_in_the_example_loads(kind: str, keys: tuple[str, ...]) -> None:
    before, _, rest = EXAMPLE.read_text(encoding="utf-8").partition("[upload.auth]\n")
    auth, _, after = rest.partition("\n[[mqtt]]")
    commented = dict.fromkeys(keys)
    for line in _COMMENTED.findall(auth):
        name = line.split(" = ")[0]
        if name in commented:
            commented[name] = line
    body = "\n".join([f'kind = "{kind}"', *(line for line in commented.values() if line)])
    assert None not in commented.values()
    assert load.parse(f"{before}[upload.auth]\n{body}\n\n[[mqtt]]{after}").upload is not None


def test_defaults_are_the_loaders() -> None:
    """Every optional value of the example is what the loader takes when it is left out."""
    whole = load.parse(EXAMPLE.read_text(encoding="utf-8"))
    least = load.parse(
        '[hub]\nid = "hub-7"\nsite = "home"\ntimezone = "America/New_York"\n'
        f'[buffer]\npath = "{whole.buffer.path}"\nkey = "credential:buffer.key"\n'
        '[upload]\nurl = "https://backend.example/api/v1/readings/batches/"\n'
        '[upload.auth]\nkind = "bearer"\ntoken = "credential:upload.token"\n[metrics]\n'
    )
    assert (least.hub, least.buffer, least.upload, least.metrics) == (
        whole.hub,
        whole.buffer,
        whole.upload,
        whole.metrics,
    )
