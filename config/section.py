"""
One table of a TOML file, read key by key, with every mistake noted and none raised.

A mistake is one sentence with the path and the line: `line 7: upload.timeout_s must be more than 0.` Reading goes on
with a default, so that all mistakes are reported at once.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from gateway.core.errors import NotThere
from gateway.core.secret import SecretRef

T = TypeVar("T")
_TABLE = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-]+)\s*=")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Lines:
    """Where each key stands in the text: tomllib does not say."""

    def __init__(self, text: str) -> None:
        self._line_of: dict[str, int] = {}
        table, counts = "", dict[str, int]()
        for number, line in enumerate(text.splitlines(), 1):
            if head := _TABLE.match(line):
                table = _place(head[2], counts)
                if head[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = f"{table}[{counts[table]}]"
                self._line_of.setdefault(table, number)
            elif key := _KEY.match(line):
                self._line_of.setdefault(f"{table}.{key[1]}".lstrip("."), number)

    def of(self, path: str) -> int | None:
        """The line of a path, or of the nearest thing around it."""
        while path:
            whole = path.rpartition("[")[0] if path.endswith("]") else path  # `topics[1]` stands in `topics = [...]`
            for known in (path, whole):
                if known in self._line_of:
                    return self._line_of[known]
            path = path.rpartition(".")[0]
        return None


def _place(name: str, counts: Mapping[str, int]) -> str:
    """`a[1].b` for `a.b` below the second `[[a]]`."""
    path, _, key = name.rpartition(".")
    if not path:
        return key
    above = _place(path, counts)
    return f"{above}[{counts[above]}].{key}" if above in counts else f"{above}.{key}"


class Section:
    """A table under its path, for example `mqtt[0]`."""

    def __init__(self, table: Any, path: str, lines: Lines, mistakes: list[str]) -> None:
        self.path = path
        self._lines = lines
        self._mistakes = mistakes
        self._asked: set[str] = set()
        self._table: dict[str, Any] = table if isinstance(table, dict) else {}
        if not isinstance(table, dict):
            self.wrong("", "must be a table")

    def wrong(self, key: str, what: str) -> None:
        """Note a mistake of a key, or of the table itself where `key` is empty."""
        path = f"{self.path}.{key}".strip(".") if key else self.path
        line = self._lines.of(path)
        end = "" if what.endswith("?") else "."
        self._mistakes.append(f"{f'line {line}: ' if line else ''}{path or 'the file'} {what}{end}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        self._asked.add(key)
        return key in self._table

    def get(self, key: str, check: Callable[[Any], T], default: T | None = None, *, required: bool = False) -> T | None:
        """The key's value as `check` gives it; a ValueError of `check` becomes the mistake."""
        self._asked.add(key)
        if key not in self._table:
            if required:
                self.wrong(key, "is missing")
            return default
        try:
            return check(self._table[key])
        except ValueError as error:
            self.wrong(key, str(error))
            return default

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """Text that is not empty."""
        return self.get(key, _text, default, required=required) or default

    def choice(self, key: str, words: Sequence[Any], default: Any = None, *, required: bool = False) -> Any:
        """One of some words."""
        return self.get(key, lambda value: _choice(value, words), default, required=required)

    def number(self, key: str, default: float, *, above: float = 0, most: float = 1e9) -> float:
        """A number above `above`, at most `most`."""
        found = self.get(key, lambda value: _number(value, above, most), default)
        return default if found is None else found

    def whole(self, key: str, default: int, *, least: int = 1, most: int = 10**9) -> int:
        """A whole number from `least` to `most`."""
        found = self.get(key, lambda value: _whole(value, least, most), default)
        return default if found is None else found

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Whether it is set."""
        return bool(self.get(key, _flag, default))

    def file(self, key: str, *, required: bool = False) -> Path | None:
        """The absolute path of a file."""
        return self.get(key, _path, required=required)

    def pem(self, key: str, *, required: bool = False) -> Path | None:
        """A certificate or key: an absolute path, `file:PATH` or `credential:NAME`."""
        return self.get(key, _pem, required=required)

    def secret(self, key: str, *, required: bool = False) -> SecretRef | None:
        """`credential:NAME` or `file:PATH`; never the secret itself."""
        return self.get(key, secret_ref, required=required)

    def url(
        self, key: str, schemes: Sequence[str], plain: Sequence[str], *, required: bool = True
    ) -> SplitResult | None:
        """An address; plain schemes reach loopback only, unless `insecure = true` stands beside it."""
        insecure = self.flag("insecure")
        return self.get(key, lambda value: _url(value, schemes, plain, insecure=insecure), required=required)

    def table(self, key: str) -> "Section | None":
        """A table within this one; None where it is not there."""
        self._asked.add(key)
        if key not in self._table:
            return None
        return Section(self._table[key], f"{self.path}.{key}".strip("."), self._lines, self._mistakes)

    def tables(self, key: str) -> "list[Section]":
        """An array of tables; empty where it is not there."""
        self._asked.add(key)
        found = self._table.get(key, [])
        path = f"{self.path}.{key}".strip(".")
        if not isinstance(found, list):
            self.wrong(key, f"must be written as [[{path}]]")
            return []
        return [Section(item, f"{path}[{index}]", self._lines, self._mistakes) for index, item in enumerate(found)]

    def end(self) -> None:
        """Note every key nobody asked for."""
        for key in self._table:
            if key not in self._asked:
                close = difflib.get_close_matches(key, self._asked, 1)
                self.wrong(key, "is not a known key" + (f"; did you mean {close[0]}?" if close else ""))


def secret_ref(value: Any) -> SecretRef:
    """A reference to a secret; raises ValueError with what to write instead."""
    kind, colon, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind not in ("credential", "file") or not colon or not name:
        raise ValueError('must be "credential:NAME" or "file:PATH"; a secret never stands in the configuration')
    if kind == "credential" and "/" in name:
        raise ValueError("names a credential with a slash in it")
    if kind == "file" and not name.startswith("/"):
        raise ValueError("must name its file by an absolute path")
    return SecretRef(kind, name)


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address is this machine."""
    return host in _LOOPBACK or bool(host and re.fullmatch(r"127\.\d{1,3}\.\d{1,3}\.\d{1,3}", host))


def listen_address(value: Any) -> tuple[str, int]:
    """`HOST:PORT`; raises ValueError."""
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536 or not host:
        raise ValueError('must be "HOST:PORT", for example "127.0.0.1:9464"')
    return host.strip("[]"), int(port)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be text, and not empty")
    return value


def _choice(value: Any, words: Iterable[Any]) -> Any:
    for word in words:
        if value == word and type(value) is type(word):
            return word
    raise ValueError("must be " + " or ".join(f'"{w}"' if isinstance(w, str) else str(w) for w in words))


def _number(value: Any, above: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
        raise ValueError(f"must be a number above {above:g} and at most {most:g}")
    return float(value)


def _whole(value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 -- a ValueError is how a check says what is wrong
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("must be an absolute path")
    return Path(value)


def _pem(value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith(("file:", "credential:")):
        return _path(value)
    try:
        return secret_ref(value).path
    except NotThere as error:
        raise ValueError("names a credential, which systemd passes only to the service it starts") from error


def _url(value: Any, schemes: Sequence[str], plain: Sequence[str], *, insecure: bool) -> SplitResult:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise ValueError("must be an address that begins with " + " or ".join(f"{scheme}://" for scheme in schemes))
    if parts.username or parts.password:
        raise ValueError("must not hold a user or password; they have keys of their own")
    if parts.scheme in plain and not insecure and not is_loopback(parts.hostname):
        raise ValueError("goes unencrypted beyond this machine; use TLS, or put insecure = true beside it")
    return parts
