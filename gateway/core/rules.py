"""
A dated rule profile as a value: what a payer asks of a day, a period and a code.

The numbers stand in `config/rules/*.toml`, each with its source; nothing here or in the gates repeats them. A profile
holds no rates: what a code pays is no business of a hub.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from gateway.core.reading import Metric

NO_CODE = "none"


class Program(StrEnum):
    """Remote physiologic or remote therapeutic monitoring; one patient has one of them in a period."""

    RPM = "RPM"
    RTM = "RTM"


_PROGRAM_OF = {Metric.PHYSIOLOGIC: Program.RPM, Metric.THERAPEUTIC: Program.RTM}


def program_of(metric: Metric) -> Program | None:
    """The program a class of data belongs to; None for technical data."""
    return _PROGRAM_OF.get(metric)


@dataclass(frozen=True, slots=True)
class Band:
    """A code and the days of data it stands for, from the date it was first in a code set."""

    code: str
    days_min: int
    days_max: int
    since: date


@dataclass(frozen=True, slots=True)
class Minimum:
    """The days of data the setup code needs in periods that end on `since` or later."""

    since: date
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    One profile.

    metric              the only class of data that makes a day
    self_report_counts  a patient's own report makes a day (RTM); never true for RPM
    bands               ascending, without overlap; below the first there is no code
    setup_minimum       ascending by date
    future_tolerance_s  how far ahead of its receipt a measurement may be dated
    check_days          the days of a period on which a lagging count is pointed out
    """

    name: str
    title: str
    program: Program
    metric: Metric
    self_report_counts: bool
    period_days: int
    future_tolerance_s: int
    bands: tuple[Band, ...]
    setup_code: str
    setup_minimum: tuple[Minimum, ...]
    check_days: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse what no profile may say; raises ValueError."""
        if self.program is Program.RPM and self.self_report_counts:
            raise ValueError("self_report_counts cannot be true for RPM: physiologic data is never self-reported")
        ordered = all(band.days_min <= band.days_max for band in self.bands)
        if not ordered or any(low.days_max >= high.days_min for low, high in pairwise(self.bands)):
            raise ValueError("band entries must ascend and must not overlap")
        if not self.bands or self.bands[0].days_min < 1 or self.threshold > self.period_days:
            raise ValueError("band entries must lie within the days of a period")
        if not self.setup_minimum:
            raise ValueError("setup.minimum must have an entry")

    def band(self, days: int) -> Band | None:
        """The band a number of days falls in; None where it earns no code."""
        return next((band for band in self.bands if band.days_min <= days <= band.days_max), None)

    def code(self, days: int) -> str:
        """The code of a number of days, `none` where it earns none."""
        band = self.band(days)
        return band.code if band else NO_CODE

    def setup_days(self, period_end: date) -> int:
        """The days the setup code needs where its period ends on this date."""
        in_force = [minimum.days for minimum in self.setup_minimum if minimum.since <= period_end]
        return in_force[-1] if in_force else self.setup_minimum[0].days

    @property
    def threshold(self) -> int:
        """The days that earn the highest code."""
        return self.bands[-1].days_min
