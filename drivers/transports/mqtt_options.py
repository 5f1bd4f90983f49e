"""
What an MQTT source is configured with, and which driver reads which topic.

Imports nothing heavy: the configuration is read by commands that never connect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from gateway.core.secret import SecretRef

# Unacknowledged messages the broker may have on the way to us (MQTT 5 Receive Maximum). Large enough that the next
# group arrives while the last one is being committed, small enough that a crash has few to send again. Bytes are
# bounded apart from it, by WAITING_BYTES_MAX.
RECEIVE_MAX = 1000

# A hub behind a home router: NAT tables forget an idle connection after a few minutes, and a dead one is noticed
# within twice this time.
KEEPALIVE_S = 60

_FILTER_BYTES_MAX = 65_535  # MQTT 5, 1.5.4: a string's length stands in two bytes
_SHARE = "$share/"
# Topics seen lately, each with its driver: more than a clinic's devices, and a few hundred KB where topics are hostile.
_TOPICS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic filter and the driver that reads what matches it."""

    filter: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
    """
    One broker.

    client_id   names the session at the broker, which holds what arrives while the hub is down; never empty, never
                made up at start, and never shared by two hubs
    ca          certificates to trust in place of the system's
    cert, key   the client's certificate and its key, unencrypted PEM; read again at every connection
    """

    name: str
    host: str
    port: int
    client_id: str
    topics: tuple[Topic, ...]
    tls: bool = False
    version: int = 5
    username: str | None = None
    password: SecretRef | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    receive_max: int = RECEIVE_MAX
    keepalive_s: int = KEEPALIVE_S

    @property
    def filters(self) -> tuple[str, ...]:
        """Every filter once, in the order configured."""
        return tuple(dict.fromkeys(topic.filter for topic in self.topics))


class FilterMemory(Protocol):
    """
    Which filters the session at the broker may hold, across restarts.

    No version of MQTT lets a client ask. Without this, a filter taken out of the configuration would go on delivering
    for as long as the session lives.
    """

    def load(self) -> frozenset[str]:
        """The filters last saved; empty where there are none."""

    def save(self, filters: frozenset[str]) -> None:
        """Remember these instead."""


def filter_mistake(text: str) -> str | None:
    """What is wrong with a topic filter, as one sentence; None where nothing is (MQTT 5, 4.7 and 4.8.2)."""
    if not text or "\0" in text or len(text.encode("utf-8", "surrogatepass")) > _FILTER_BYTES_MAX:
        return "A topic filter has 1 to 65535 bytes and no NUL."
    if text.startswith(_SHARE):
        group, slash, rest = text.removeprefix(_SHARE).partition("/")
        if not group or not slash or not rest or set(group) & set("+#"):
            return "A shared filter is written $share/GROUP/FILTER."
        return filter_mistake(rest)
    *above, last = text.split("/")
    if any("#" in level for level in above) or ("#" in last and last != "#"):
        return "In a topic filter, # stands alone as the last level."
    if any("+" in level and level != "+" for level in (*above, last)):
        return "In a topic filter, + stands alone in its level."
    return None


def bare(text: str) -> str:
    """The filter that topics are compared with: without `$share/GROUP/`."""
    return text.removeprefix(_SHARE).partition("/")[2] if text.startswith(_SHARE) else text


def matches(wanted: str, topic: str) -> bool:
    """Whether a topic matches a bare filter (MQTT 5, 4.7)."""
    levels, parts = wanted.split("/"), topic.split("/")
    if topic.startswith("$") and levels[0] in ("+", "#"):
        return False
    if levels[-1] == "#":
        levels.pop()
        if len(parts) < len(levels):
            return False
        parts = parts[: len(levels)]
    return len(levels) == len(parts) and all(level in ("+", part) for level, part in zip(levels, parts, strict=True))


def router(topics: tuple[Topic, ...], otherwise: str) -> Callable[[str], str]:
    """The driver for a topic: the first configured filter that matches decides, `otherwise` where none does."""
    table = [(bare(topic.filter), topic.driver) for topic in topics]

    @lru_cache(_TOPICS_KEPT)
    def driver_for(topic: str) -> str:
        return next((driver for wanted, driver in table if matches(wanted, topic)), otherwise)

    return driver_for
