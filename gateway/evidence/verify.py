"""
A packet checked from its file alone: its seal, its chain, and everything that follows from its records.

The first thing that was altered is named in one sentence. What the records themselves prove comes first, since it names
the record; the seal covers the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from gateway.core.checked import parse_json
from gateway.core.errors import BadInput
from gateway.core.record import canonical, verify
from gateway.core.rules import Rules
from gateway.evidence.derive import DERIVED, Core, Json, derived
from gateway.evidence.document import HELD, core_of
from gateway.evidence.seal import check_seal


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check comes to; `altered` is the sentence, None where everything holds."""

    altered: str | None
    records: int
    linked: int
    signed_by: str | None
    document: Json


def verified(content: bytes, profiles: Mapping[str, Rules]) -> Finding:
    """Check a packet; raises BadInput where the file is none at all, NotThere where a signature cannot be checked."""
    document = parse_json(content)
    if not isinstance(document, dict):
        raise BadInput("The file is JSON and not an evidence packet; a packet is one JSON object.")
    core = core_of(document)
    canonical(document)
    seal = check_seal(document)
    sentences = chain(
        _chain_faults(document),
        _beside_faults(document, core) if "transmissions" in seal.altered else (),
        # what the packet is made of comes before what follows from it
        (_section(key) for key in seal.altered if key not in DERIVED),
        _derived_faults(document, core, profiles),
        (_section(key) for key in seal.altered),
        (seal.seal_fault for _ in range(seal.seal_fault is not None)),
    )
    fault = next(sentences, None)
    linked = 0 if fault else sum(link["to_seq"] - link["seq"] + 1 for link in document["links"])
    return Finding(fault, sum(len(document[key]) for key in HELD), linked, seal.signed_by, document)


def _beside_faults(document: Json, core: Core) -> Iterator[str]:
    """The chain does not cover when the backend acknowledged; `readings` says it a second time."""
    said = document["readings"] if isinstance(document["readings"], list) and core.uploads else []
    for item, reading in zip(core.transmissions, said, strict=False):
        if not isinstance(reading, dict) or reading.get("acked_at") != item["acked_at"]:
            yield f"What stands beside record {item['record']['seq']} in transmissions was altered: its acked_at."


def _section(key: str) -> str:
    return f"{key} is not what was exported: something in it was altered."


def _chain_faults(document: Json) -> Iterator[str]:
    """Every record by itself, then each against the one before it."""
    for key in HELD:
        yield from _own_faults(key, document[key])
    links = document["links"]
    if not isinstance(links, list) or not all(_is_link(link) for link in links):
        yield "links does not hold links of the chain."
        return
    yield from _order_faults("links", [link["seq"] for link in links])
    records = [item["record"] for key in HELD for item in document[key]]
    places = [(record["seq"], record["seq"], record["prev"], record["hash"]) for record in records]
    places += [(link["seq"], link["to_seq"], link["prev"], link["hash"]) for link in links]
    places.sort(key=lambda place: place[:2])
    for (_, before, _, digest), (seq, _, prev, _) in pairwise(places):
        if seq != before + 1:
            yield _gap(before, seq)
        if prev != digest:
            yield f"Record {seq} does not follow the one before it: one of the two was changed."


def _gap(before: int, seq: int) -> str:
    if seq <= before:
        return f"Record {seq} stands twice in the chain."
    which = f"Record {before + 1} is" if seq == before + 2 else f"Records {before + 1} to {seq - 1} are"
    return f"{which} missing from the chain."


def _own_faults(key: str, items: Sequence[Json]) -> Iterator[str]:
    for item in items:
        record = item["record"]
        if not verify(record):
            yield f"Record {record['seq']} in {key} was altered: its hash is not that of its content."
        if (item["state"] == "accepted") is not isinstance(item["acked_at"], str):
            yield f"What stands beside record {record['seq']} in {key} was altered: state and acked_at contradict."
        if (item["state"] == "refused") is not isinstance(item["reason"], str):
            yield f"What stands beside record {record['seq']} in {key} was altered: state and reason contradict."
    yield from _order_faults(key, [item["record"]["seq"] for item in items])


def _order_faults(key: str, seqs: Sequence[int]) -> Iterator[str]:
    for earlier, later in pairwise(seqs):
        if later <= earlier:
            yield f"Record {later} in {key} stands out of its order."


def _is_link(link: object) -> bool:
    if not isinstance(link, dict) or set(link) != {"seq", "to_seq", "prev", "hash"}:
        return False
    numbers = type(link["seq"]) is int and type(link["to_seq"]) is int and link["seq"] <= link["to_seq"]
    return numbers and isinstance(link["prev"], str) and isinstance(link["hash"], str)


def _derived_faults(document: Json, core: Core, profiles: Mapping[str, Rules]) -> Iterator[str]:
    """Every derived section against what the records give."""
    try:
        wanted = derived(core, profiles)
    except BadInput as error:
        yield f"The records do not bear out the packet: {error}"
        return
    except (KeyError, TypeError, ValueError, AttributeError):
        yield "A record lacks what every record of its kind has: it was altered, or another program wrote it."
        return
    for key in DERIVED:
        path = difference(wanted[key], document[key], key)
        if path is not None:
            yield f"{path} is not what the records give: it was altered."


def difference(wanted: Any, found: Any, path: str) -> str | None:
    """The path of the first place where two documents differ; None where they are the same."""
    if type(wanted) is not type(found):
        return path
    if isinstance(wanted, dict):
        missing = sorted(set(wanted) ^ set(found))
        places = [difference(wanted[key], found[key], f"{path}.{key}") for key in wanted if key in found]
        return next((place for place in places if place), f"{path}.{missing[0]}" if missing else None)
    if isinstance(wanted, list):
        pairs = enumerate(zip(wanted, found, strict=False))
        places = [difference(one, other, f"{path}[{index}]") for index, (one, other) in pairs]
        length = f"{path}[{min(len(wanted), len(found))}]" if len(wanted) != len(found) else None
        return next((place for place in places if place), length)
    return None if wanted == found else path
