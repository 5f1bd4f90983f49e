"""
The gates: does this reading make its date a day of data, and if not, why not.

Source: billing rules 7.1 and 7.2, kept in docs/billing.md. The first gate that fails gives the one reason. The same
gates judge a reading as it is recorded and a reading of an evidence bundle years later; both fill in `Facts`.
"""

from collections.abc import Callable
from typing import NamedTuple

from gateway.core.reading import Capture, Metric, SampleKind, Signal, is_automatic
from gateway.core.rules import Program, Rules

CLEARED = "device_201h"
# A hub in the cloud serves cellular devices in homes. Anything else, and any word not known here, is not remote.
_REMOTE_SITES = frozenset({"home", "cloud"})
_REHEARSALS = frozenset({"test", "control", "setup_demo"})
_INPATIENT = "inpatient"
# The reason of a reading measured before the service began or after it ended.
OUTSIDE = "Q06 outside enrolment"
_VALUES = frozenset({SampleKind.READING, SampleKind.ALERT_WITH_VALUE})


class Facts(NamedTuple):
    """
    What is known of one reading, from whatever side it is looked at.

    duplicate       an equal key was seen before
    device_known    the device is registered
    person_known    it is clear which person measured: one wearer, or a slot that says so
    assigned        the device (and slot) was this patient's at the measured instant
    enrolled        the measured instant lies within the patient's service
    context         normal | test | control | setup_demo | inpatient
    site            of the hub that heard it: home | clinic | cloud
    measured_ms     UTC; None where no time can be asserted
    received_ms     UTC, at the hub
    """

    duplicate: bool
    kind: SampleKind
    capture: Capture
    edited: bool
    metric: Metric
    device_known: bool
    person_known: bool
    time_trusted: bool
    measured_ms: int | None
    received_ms: int
    assigned: bool
    device_status: str
    enrolled: bool
    context: str
    site: str
    in_person_download: bool
    quality: Signal
    specific_code: str | None

    @property
    def automatic(self) -> bool:
        """Captured by a device, unedited, and a value (rule 7.1). Device status, enrolment and time do not enter."""
        return not self.edited and is_automatic(self.capture, self.kind)


def qualify(facts: Facts, rules: Rules) -> tuple[bool, str | None]:
    """Whether the reading makes its date a day of data, and the reason code with its words where it does not."""
    for code, fails in _GATES:
        words = fails(facts, rules)
        if words:
            return False, f"{code} {words}"
    return True, None


def _duplicate(facts: Facts, _: Rules) -> str:
    return "duplicate" if facts.duplicate else ""


def _no_value(facts: Facts, _: Rules) -> str:
    return "" if facts.kind in _VALUES else "no physiologic value"


def _not_automatic(facts: Facts, rules: Rules) -> str:
    reported = facts.capture is Capture.MANUAL_PATIENT and facts.metric is Metric.THERAPEUTIC and not facts.edited
    may_report = rules.program is Program.RTM and rules.self_report_counts
    return "" if facts.automatic or (reported and may_report) else "not automatic"


def _other_metric(facts: Facts, rules: Rules) -> str:
    return "" if facts.metric is rules.metric else f"no {rules.metric.value} value"


def _unknown_device(facts: Facts, _: Rules) -> str:
    return "" if facts.device_known else "unknown device"


def _ambiguous(facts: Facts, _: Rules) -> str:
    return "" if facts.person_known else "person ambiguous"


def _untrusted(facts: Facts, _: Rules) -> str:
    return "" if facts.time_trusted and facts.measured_ms is not None else "time untrusted"


def _in_future(facts: Facts, rules: Rules) -> str:
    latest = facts.received_ms + rules.future_tolerance_s * 1000
    return "in the future" if facts.measured_ms is not None and facts.measured_ms > latest else ""


def _unassigned(facts: Facts, _: Rules) -> str:
    return "" if facts.assigned else "not assigned at that time"


def _not_device(facts: Facts, _: Rules) -> str:
    return "" if facts.device_status == CLEARED else "not a 201(h) device"


def _not_enrolled(facts: Facts, _: Rules) -> str:
    return "" if facts.enrolled else OUTSIDE.removeprefix("Q06 ")


def _rehearsal(facts: Facts, _: Rules) -> str:
    return "test/setup" if facts.context in _REHEARSALS else ""


def _not_remote(facts: Facts, _: Rules) -> str:
    away = facts.site in _REMOTE_SITES and not facts.in_person_download and facts.context != _INPATIENT
    return "" if away else "not remote"


def _bad_quality(facts: Facts, _: Rules) -> str:
    return "" if facts.quality is Signal.OK else f"quality {facts.quality.value}"


def _specific(facts: Facts, _: Rules) -> str:
    return f"specific code {facts.specific_code}" if facts.specific_code else ""


# The order is the rule: the first that fails is the reason.
_GATES: tuple[tuple[str, Callable[[Facts, Rules], str]], ...] = (
    ("Q12", _duplicate),
    ("Q02", _no_value),
    ("Q01", _not_automatic),
    ("Q02", _other_metric),
    ("Q03", _unknown_device),
    ("Q05", _ambiguous),
    ("Q09", _untrusted),
    ("Q10", _in_future),
    ("Q03", _unassigned),
    ("Q04", _not_device),
    ("Q06", _not_enrolled),
    ("Q07", _rehearsal),
    ("Q08", _not_remote),
    ("Q11", _bad_quality),
    ("Q13", _specific),
)
