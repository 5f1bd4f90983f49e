"""What a public source says of a model's regulatory status; a model no source names is `unknown`, never guessed."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    The regulatory status of a device and who says so.

    status     device_201h | wellness | unknown
    clearance  510(k) or De Novo number, where the source gives one
    checked    the date someone read the source, `2026-11-21`
    """

    status: str
    specific_code: str | None = None
    clearance: str | None = None
    source: str | None = None
    checked: str | None = None


UNKNOWN = Evidence(status="unknown")


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of the catalogue; `maker` is the word by which its maker names itself."""

    maker: str
    model: str
    evidence: Evidence


def look_up(catalogue: Sequence[Listed], model: str | None, maker: str | None = None) -> Evidence:
    """
    The entry of exactly this model of this maker, else `unknown`.

    A variant of a name is another model until a source says otherwise. A short name means nothing without its maker, so
    where `maker` is not known the model must begin with it ("A&D UA-651").
    """
    for listed in catalogue:
        if _same(listed, (model or "").strip().casefold(), (maker or "").casefold()):
            return listed.evidence
    return UNKNOWN


def _same(listed: Listed, model: str, maker: str) -> bool:
    name, brand = listed.model.casefold(), listed.maker.casefold()
    return model == f"{brand} {name}" or (model == name and brand in maker)
