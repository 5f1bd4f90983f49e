"""
Whose a live reading is and whether it counts, as its record says it.

Facts come from three sides: the sample and its path, the place in time, the registry. The gates judge them
(`gateway.core.gates`); this only brings them together, so that a bundle re-judged years later gives the same answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.gates import Facts, qualify
from gateway.core.reading import Capture, Metric, Sample, Signal, measured_json
from gateway.core.rules import Program, Rules, program_of
from gateway.core.time import Placed
from gateway.registry import Binding, Registry

Qualify = Callable[[Sample, Capture, str, Placed, int, str], dict[str, Any]]


def qualifier(registry: Registry, profiles: Mapping[str, Rules], in_force: Rules, hub_zone: str) -> Qualify:
    """What intake asks of every sample: (sample, capture, device id, placed, received_ms, site) -> fields."""

    def of(
        sample: Sample, capture: Capture, device: str, placed: Placed, received_ms: int, site: str
    ) -> dict[str, Any]:
        binding = registry.binding(device, sample.slot, placed.utc_ms)
        if registry.is_rehearsal(device, placed.utc_ms, received_ms):
            binding = replace(binding, in_setup=True)
        facts = facts_of(sample, capture, placed, received_ms, site, binding)
        program = program_of(sample.metric)
        fields = qualification(facts, binding, _rules(binding, program, profiles, in_force))
        if binding.enrolments:
            zone = (binding.enrolment(program) or binding.enrolments[0]).timezone
            if zone != hub_zone:  # the date is that of where the patient lives
                fields |= measured_json(placed, ZoneInfo(zone))
        return fields

    return of


def qualification(facts: Facts, binding: Binding, rules: Rules) -> dict[str, Any]:
    """The record's patient, slot, program, context, automatic and qualifies."""
    day, reason = qualify(facts, rules)
    program = program_of(facts.metric)
    return {
        "patient": binding.patient,
        "slot": binding.slot,
        "program": program,
        "context": facts.context,
        "automatic": facts.automatic,
        "qualifies": {"day": day, "reason": reason, "rules": rules.name},
    }


def facts_of(sample: Sample, capture: Capture, placed: Placed, received_ms: int, site: str, binding: Binding) -> Facts:
    """A live sample as the gates see it; `record_id` told equal readings apart before."""
    # opening a medication container is the whole event: it has no value and needs none
    is_access = sample.metric is Metric.THERAPEUTIC and not sample.observations
    says_something = is_access or bool(sample.observations)
    return Facts(
        duplicate=False,
        kind=sample.kind,
        capture=capture,
        edited=False,
        metric=sample.metric if says_something else Metric.TECHNICAL,
        device_known=binding.known,
        person_known=not binding.ambiguous,
        time_trusted=placed.trusted,
        measured_ms=placed.utc_ms,
        received_ms=received_ms,
        assigned=binding.patient is not None,
        device_status=binding.evidence.status,
        enrolled=binding.enrolment(program_of(sample.metric)) is not None,
        context=_context(sample, binding),
        site=site,
        in_person_download=False,
        # A measurement without any value is not a valid one, whatever else the device says of it.
        quality=sample.quality if sample.measured or is_access else Signal.INVALID,
        specific_code=binding.evidence.specific_code,
    )


def _context(sample: Sample, binding: Binding) -> str:
    """The device's word; while a technician sets it up, a normal reading is a demonstration."""
    return "setup_demo" if binding.in_setup and sample.context == "normal" else sample.context


def _rules(binding: Binding, program: Program | None, profiles: Mapping[str, Rules], in_force: Rules) -> Rules:
    """The profile of the patient's episode, else the one in force."""
    episode = binding.enrolment(program)
    return profiles.get(episode.rules, in_force) if episode else in_force
