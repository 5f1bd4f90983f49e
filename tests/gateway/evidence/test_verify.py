"""A packet verified from its file alone: whatever is altered is found and named."""

import asyncio
import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.rules import profiles
from gateway.core.assessment import assess
from gateway.core.bundle import judge, read_bundle
from gateway.core.errors import BadInput
from gateway.core.record import canonical, chain
from gateway.core.secret import SecretRef
from gateway.evidence.document import HELD
from gateway.evidence.seal import SEAL, sealed
from gateway.evidence.verify import Finding, verified
from tests.gateway.evidence.hub import FIRST, OTHER, PATIENT, SCALE, furnish, hub, live
from tests.law.source import ROOT
from uploader.signing import HubKey

Json = dict[str, Any]
Path_ = tuple[str | int, ...]


@cache
def _text(*, signs: bool = True) -> str:
    async def run() -> Json:
        with TemporaryDirectory() as folder:
            async with hub(Path(folder), signs=signs) as made:
                await furnish(made)
                await live(made, 6, skip=frozenset({2}))
                await made.store.tell("store.quarantined", file="x")
                await made.ask("enter", patient=PATIENT, values=["weight=70kg"])
                await made.measure(FIRST + timedelta(days=7))
                return await made.packet()

    return json.dumps(asyncio.run(run()))


def packet(*, signs: bool = True) -> Json:
    """A packet of six days, of which a file may be altered."""
    found: Json = json.loads(_text(signs=signs))
    return found


def check(document: Json) -> Finding:
    return verified(json.dumps(document).encode(), profiles())


def sentence(document: Json) -> str | None:
    """What is said of an altered packet."""
    try:
        return check(document).altered
    except BadInput as error:
        return str(error)


@pytest.mark.parametrize("signs", [True, False])
def test_an_untouched_packet_holds(signs: bool) -> None:
    found = check(packet(signs=signs))
    assert found.altered is None
    assert (found.signed_by is not None) is signs
    assert found.records > 10
    assert found.linked > 5


def test_layout_is_no_content() -> None:
    text = json.dumps(packet(), indent=3, sort_keys=True, ensure_ascii=False)
    assert verified(text.encode(), profiles()).altered is None


def test_nothing_of_another_patient_is_in_it() -> None:
    text = _text()
    assert OTHER not in text
    assert SCALE not in text


def test_assess_reads_it_and_gives_what_it_says() -> None:
    document = packet()
    bundle = read_bundle(json.dumps(document).encode(), profiles())
    found = assess(judge(bundle), bundle.service, bundle.period, bundle.zone, bundle.rules, bundle.now_ms)
    assert found.as_json() == document["assessment"]
    assert document["assessment"]["days"] == document["days"]["days"] == {"measured": 6, "claimable": 5, "received": 5}


# Every leaf


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def lists(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, list) and value:
        yield path
    for key, each in inner:
        yield from lists(each, (*path, key))


def at(document: Any, path: Path_) -> Any:
    for key in path:
        document = document[key]
    return document


def other(value: Any) -> Any:
    """Another value of the same kind, as near as can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None:
        return "2026-03-03T10:00:00.000Z"
    return value[:-1] + ("0" if value[-1:] != "0" else "1") if value else "x"


def kinds(paths: Iterator[Path_]) -> list[Path_]:
    """One path of each shape: positions in a list are alike."""
    shapes: dict[tuple[str, ...], Path_] = {}
    for path in paths:
        shapes.setdefault(tuple("*" if isinstance(key, int) else key for key in path), path)
    return list(shapes.values())


def named(path: Path_, said: str, document: Json) -> bool:
    """Whether a sentence says where: the record, or the section."""
    held = path[0] in HELD and len(path) > 2
    number = str(at(document, (path[0], path[1], "record", "seq"))) if held else ""
    words = {SEAL: ("seal", "signature"), "links": ("links", "chain", "follow")}.get(str(path[0]), (str(path[0]),))
    return (held and number in said) or any(word in said for word in words)


def test_a_change_of_every_kind_of_value_is_found_and_named() -> None:
    shapes = kinds(leaves(packet()))
    assert len(shapes) > 150
    for path in shapes:
        document = packet()
        at(document, path[:-1])[path[-1]] = other(at(document, path))
        said = sentence(document)
        assert said, path
        assert "\n" not in said
        assert named(path, said, packet()), (path, said)


@given(st.data())
def test_any_single_changed_value_is_found(data: st.DataObject) -> None:
    document = packet()
    path = data.draw(st.sampled_from(list(leaves(document))))
    old = at(document, path)
    new = data.draw(st.one_of(st.none(), st.booleans(), st.integers(-5, 50), st.text(max_size=4), st.just(other(old))))
    if type(new) is type(old) and new == old:
        return
    at(document, path[:-1])[path[-1]] = new
    assert sentence(document), path


@given(st.data())
def test_any_removed_doubled_or_swapped_entry_is_found(data: st.DataObject) -> None:
    document = packet()
    path = data.draw(st.sampled_from(list(lists(document))))
    found = at(document, path)
    before = copy.deepcopy(found)
    index = data.draw(st.integers(0, len(found) - 1))
    match data.draw(st.sampled_from(["remove", "double", "swap"])):
        case "remove":
            del found[index]
        case "double":
            found.insert(index, found[index])
        case _:
            target = data.draw(st.integers(0, len(found) - 1))
            found[index], found[target] = found[target], found[index]
    if found != before:
        assert sentence(document), path


@pytest.mark.parametrize("key", sorted(packet()))
def test_any_missing_section_is_found(key: str) -> None:
    document = packet()
    del document[key]
    assert sentence(document)


def test_a_foreign_section_is_found() -> None:
    assert sentence({**packet(), "comment": "x"}) == "comment is no part of a packet."


# Altered by somebody who computed hashes anew


def rehashed(item: Json, **changes: Any) -> Json:
    """The item with a changed record that has its own right hash."""
    record = {**item["record"], **changes}
    place = {key: record.pop(key) for key in ("record_id", "type", "seq", "prev")}
    del record["hash"]
    text, _ = chain(record, record_id=place["record_id"], type_=place["type"], seq=place["seq"], prev=place["prev"])
    return {**item, "record": json.loads(text)}


def unsealed(document: Json) -> Json:
    return {key: value for key, value in document.items() if key != SEAL}


def forged_record(document: Json) -> Json:
    document["transmissions"][1] = rehashed(
        document["transmissions"][1], capture="device", automatic=True, quality="ok "
    )
    return document


def forged_count(document: Json) -> Json:
    document["assessment"]["days"]["claimable"] += 11
    return document


def forged_ledger(document: Json) -> Json:
    document["days"]["dates"][5]["counted"] = not document["days"]["dates"][5]["counted"]
    return document


def taken_out(document: Json) -> Json:
    del document["transmissions"][2]
    return document


FORGERIES: list[tuple[Callable[[Json], Json], str]] = [
    (forged_record, "does not follow"),
    (forged_count, "assessment.days.claimable"),
    (forged_ledger, "days.dates[5].counted"),
    (taken_out, "missing from the chain"),
]


@pytest.mark.parametrize(("forge", "word"), FORGERIES)
def test_a_new_seal_does_not_hide_what_the_records_say(forge: Callable[[Json], Json], word: str) -> None:
    said = sentence(sealed(unsealed(forge(packet())), None))
    assert said is not None
    assert word in said


def test_a_manual_entry_made_a_devices_is_found_even_with_new_hashes() -> None:
    document = packet()
    position = next(n for n, item in enumerate(document["transmissions"]) if item["record"]["capture"] != "device")
    changes = {
        "capture": "device",
        "automatic": True,
        "qualifies": {"day": True, "reason": None, "rules": "us-medicare-2026"},
    }
    document["transmissions"][position] = rehashed(document["transmissions"][position], **changes)
    said = sentence(sealed(unsealed(document), None))
    assert said is not None
    assert "does not follow" in said


def test_a_packet_signed_anew_names_another_key() -> None:
    with TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        key.write_text("ab" * 32)
        other_ = check(sealed(unsealed(packet()), HubKey(SecretRef("file", str(key)))))
    assert other_.altered is None
    assert other_.signed_by != check(packet()).signed_by


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not JSON"),
        (b"[]", "not an evidence packet"),
        (b"{}", "no evidence packet"),
        (b'{"bundle": "vitals-evidence/1"}', "no evidence packet"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b"\xff", "UTF-8"),
    ],
)
def test_what_is_no_packet_is_said_in_a_sentence(content: bytes, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        verified(content, profiles())


def test_a_number_with_a_fraction_is_refused() -> None:
    document = packet()
    document["period"] = 1.0
    assert sentence(document)


def test_the_digests_are_those_any_tool_computes() -> None:
    document = packet()
    seal = document[SEAL]
    assert seal["sections"] == {key: sha256(canonical(value)).hexdigest() for key, value in unsealed(document).items()}
    assert seal["digest"] == sha256(canonical(seal["sections"])).hexdigest()


def test_the_command_says_what_was_altered_and_leaves_with_65(tmp_path: Path) -> None:
    document = packet()
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(document))
    document["transmissions"][0]["record"]["observations"][0]["value"] = "129"
    bad.write_text(json.dumps(document))
    done = {
        file.stem: subprocess.run(
            [sys.executable, "-m", "gateway", "evidence", "verify", str(file)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )
        for file in (good, bad)
    }  # fmt: skip
    assert done["good"].returncode == 0
    assert "Nothing was altered" in done["good"].stdout
    assert done["bad"].returncode == 65
    seq = document["transmissions"][0]["record"]["seq"]
    assert done["bad"].stderr.startswith(f"vitals-gateway: Record {seq} in transmissions was altered")
