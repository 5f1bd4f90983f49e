"""
The units and fillers that weight and body composition share.

Source: Bluetooth SIG, Weight Scale Service 1.0.1, Body Composition Service 1.0.1, GATT Specification Supplement.
"""

from typing import NamedTuple

from drivers.fields import counted
from gateway.core.observation import INCH, KG, METRE, POUND, WEIGHT, Absent, Kind, Observation, Unit, Why

UNSUCCESSFUL = 0xFFFF
UNKNOWN_USER = 0xFF


class System(NamedTuple):
    """What one step of a mass and of a height is. A scale's feature bits state its accuracy and never change these."""

    mass: Unit
    mass_step: str
    height: Unit
    height_step: str


SI = System(KG, "0.005", METRE, "0.001")
IMPERIAL = System(POUND, "0.01", INCH, "0.1")


def weight(raw: int, system: System) -> Observation:
    """A weighing; the scale itself says where it failed."""
    if raw == UNSUCCESSFUL:
        return Absent(WEIGHT, Why.UNSUCCESSFUL)
    return counted(WEIGHT, raw, system.mass, system.mass_step)


def worked_out(kind: Kind, raw: int, unit: Unit, scale: str) -> Observation:
    """What a scale computes or was told: 0 is the filler of a scale that does not know it."""
    return counted(kind, raw, unit, scale) if raw else Absent(kind, Why.NOT_SUPPORTED)


def slot(user: int) -> int | None:
    """The user's slot; None for "unknown user"."""
    return None if user == UNKNOWN_USER else user
