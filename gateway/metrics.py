"""
Counters and the Prometheus text they are read as.

Written here because it is forty lines: the client library would cost a Pi more memory and start-up than the rest of
the logging. Format: Prometheus text exposition 0.0.4.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


class Counts:
    """What happened since the daemon started, by metric name and labels."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def add(self, name: str, amount: int = 1, **labels: str) -> None:
        """Count."""
        self._seen[name, tuple(sorted(labels.items()))] += amount

    def total(self, name: str) -> int:
        """The sum over all labels."""
        return sum(amount for (key, _), amount in self._seen.items() if key == name)

    def samples(self) -> list[tuple[str, Labels, float]]:
        """Every counter as (name, labels, value)."""
        return [(name, dict(labels), amount) for (name, labels), amount in sorted(self._seen.items())]


def exposition(counters: Iterable[tuple[str, Labels, float]], gauges: Iterable[tuple[str, Labels, float]]) -> str:
    """Prometheus text; samples of one metric stand together under their type."""
    lines: list[str] = []
    for kind, samples in (("counter", counters), ("gauge", gauges)):
        last = None
        for name, labels, value in sorted(samples, key=lambda sample: (sample[0], sorted(sample[1].items()))):
            if name != last:
                lines.append(f"# TYPE {name} {kind}")
                last = name
            lines.append(f"{name}{_braced(labels)} {value:g}" if value % 1 else f"{name}{_braced(labels)} {int(value)}")
    return "\n".join(lines) + "\n"


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return "{" + inner + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
