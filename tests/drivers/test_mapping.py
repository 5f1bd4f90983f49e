"""A mapping file: what it may say, what is made of it, and that it reads what the hand-written drivers read."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import load
from config.mapping import Mapped, load_mapping, parse_mapping
from drivers import registry
from drivers.contract import Driver
from drivers.mapping_path import Scope, read_path
from drivers.payload import Node
from drivers.vectors import difference
from gateway.cli import main
from gateway.core.errors import BadValue, ConfigInvalid, DecodeError, Truncated, UnknownLayout
from gateway.core.reading import Frame, Sample
from tests.config.test_section import GOOD
from tests.drivers import vectors
from tests.properties.test_decoders import (
    MARKER,
    ODD_LEAVES,
    attempt,
    changed,
    decoded_or_refused,
    places,
    with_person,
    written,
)

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors" / "mapping"
PAIRS = {name: load_mapping(FOLDER / f"{name}.toml").driver for name in ("stel", "ava4")}
each_pair = pytest.mark.parametrize("name", PAIRS)


def example() -> str:
    """The mapping that docs/mapping.md shows."""
    (block,) = re.findall(
        r"^```toml\n(.*?)^```$", (ROOT / "docs/mapping.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(block)


EXAMPLE = example()
SMALL = """
driver = "map-small"
documented = "a test"
[device]
id = "id"
[time]
kind = "none"
[[reading]]
[[reading.value]]
of = "weight"
path = "kg"
unit = "kg"
"""


def made(text: str) -> Driver:
    return parse_mapping(text).driver


def decoded(driver: Driver, document: Any, topic: str | None = None) -> tuple[Sample, ...]:
    return driver.decode(Frame(json.dumps(document).encode(), topic=topic))


def mistakes_in(text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        parse_mapping(text)
    return caught.value.mistakes


def one(text: str, **fields: Any) -> Sample:
    (sample,) = decoded(made(text), {"id": "d1", "kg": 70.5, **fields})
    return sample


# What the documents show.


def test_the_documents_example_reads_its_own_vectors() -> None:
    mapped = parse_mapping(EXAMPLE)
    assert len(mapped.vectors) == 2
    assert [difference(mapped.driver, vector) for vector in mapped.vectors] == [None, None]


def test_a_vector_that_does_not_hold_is_named() -> None:
    mapped: Mapped = parse_mapping(EXAMPLE.replace('"128 mm[Hg]"', '"129 mm[Hg]"'))
    found = difference(mapped.driver, mapped.vectors[0])
    assert found is not None
    assert "measured" in found


# Against the drivers written by hand.


def outcome(driver: Driver, frame: Frame) -> tuple[Sample, ...] | type[DecodeError]:
    try:
        return tuple(replace(sample, technical=()) for sample in driver.decode(frame))
    except DecodeError as error:
        return type(error)


def described(name: str) -> Iterator[vectors.Vector]:
    """The vectors of the kinds of message that the mapping describes."""
    left_out = re.compile(r'"type": "(wearable|spirometry|inr|ekg|HB_Msg|reportMsg)"|uric_acid')
    return (vector for vector in vectors.load(name) if not left_out.search(vector.frame))


@each_pair
def test_it_reads_what_the_driver_reads(name: str) -> None:
    ours, theirs = PAIRS[name], registry.named(name)
    read = 0
    for vector in described(name):
        frame = vector.as_frame(theirs)
        first, second = outcome(ours, frame), outcome(theirs, frame)
        assert isinstance(first, tuple) is isinstance(second, tuple), vector.id
        if isinstance(first, tuple):
            assert first == second, vector.id
            read += 1
    assert read > 5


@each_pair
@given(draw=st.data())
def test_where_both_read_an_odd_message_they_agree(name: str, draw: st.DataObject) -> None:
    ours, theirs = PAIRS[name], registry.named(name)
    vector = draw.draw(st.sampled_from([one for one in described(name) if one.raises is None]))
    document = json.loads(vector.frame)
    odd = st.sampled_from(ODD_LEAVES) | st.integers(0, 300) | st.decimals(1, 300, places=1).map(float)
    for _ in range(draw.draw(st.integers(1, 3))):
        document = changed(document, draw.draw(st.sampled_from(list(places(document)))), draw.draw(odd))
        if not list(places(document)):
            break
    frame = Frame(written(document), topic=vector.topic)
    first, second = outcome(ours, frame), outcome(theirs, frame)
    if isinstance(first, tuple) and isinstance(second, tuple):
        assert first == second


# Whatever comes.

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["readings", "sensor", "v", "type", "src", "at", "mem", "sys", "u"]), inner)
    ),
    max_leaves=20,
)


@given(document=ANY_JSON, topic=st.none() | st.text(max_size=12))
def test_any_json_decodes_or_is_refused_in_one_sentence(document: Any, topic: str | None) -> None:
    for driver in (made(EXAMPLE), *PAIRS.values()):
        attempt(driver, Frame(json.dumps(document).encode("utf-8", "surrogatepass"), topic=topic))


@each_pair
def test_nothing_about_a_person_is_copied(name: str) -> None:
    for vector in described(name):
        if vector.raises is None:
            marked = outcome(PAIRS[name], Frame(written(with_person(json.loads(vector.frame))), topic=vector.topic))
            assert MARKER not in repr(marked)
            assert marked == outcome(PAIRS[name], vector.as_frame(PAIRS[name]))


@each_pair
def test_no_refusal_repeats_what_the_message_said(name: str) -> None:
    for vector in described(name):
        document = json.loads(vector.frame) if vector.raises is None else {}
        for path in places(document):
            frame = Frame(written(changed(document, path, MARKER)), topic=vector.topic)
            refused = decoded_or_refused(PAIRS[name], frame)
            assert not isinstance(refused, DecodeError) or MARKER not in str(refused)


# Capture.

CHANNEL = '[capture]\nchannel = "{}"\nreason = "guide 2"\n'
MARKED = 'path = "src"\ndevice = "AUTO"\nmanual_patient = ["APP", 2]\nmanual_staff = "DESK"\n'


@pytest.mark.parametrize(
    ("capture", "source", "wanted"),
    [
        ("", None, "unknown"),
        ("[capture]\n" + MARKED, "AUTO", "unknown"),
        ("[capture]\n" + MARKED, "APP", "manual_patient"),
        (CHANNEL.format("device_only"), None, "device"),
        (CHANNEL.format("device_only") + MARKED, "AUTO", "device"),
        (CHANNEL.format("device_only") + MARKED, "DESK", "manual_staff"),
        (CHANNEL.format("device_marked") + MARKED, "AUTO", "device"),
        (CHANNEL.format("device_marked") + MARKED, 2, "manual_patient"),
        (CHANNEL.format("device_marked") + MARKED, "auto", "unknown"),
        (CHANNEL.format("device_marked") + MARKED, True, "unknown"),
        (CHANNEL.format("device_marked") + MARKED, None, "unknown"),
    ],
)
def test_only_a_stated_channel_makes_a_device_value(capture: str, source: Any, wanted: str) -> None:
    assert one(SMALL + capture, src=source).capture == wanted


def test_the_mark_is_kept_and_a_foreign_one_is_not_repeated() -> None:
    text = SMALL + CHANNEL.format("device_marked") + MARKED
    assert one(text, src="APP").marker == ("src", "APP")
    assert one(text, src=MARKER).marker == ("src", "other")
    assert one(text).marker == ("src", "absent")


# Time.

AT = 1718440200  # 2024-06-15T08:30:00Z


@pytest.mark.parametrize(
    ("time", "fields", "wanted"),
    [
        ('kind = "epoch_s"', {"at": AT}, "2024-06-15T08:30:00+00:00"),
        ('kind = "epoch_s"', {"at": f"{AT}"}, "2024-06-15T08:30:00+00:00"),
        ('kind = "epoch_ms"', {"at": AT * 1000 + 5}, "2024-06-15T08:30:00.005000+00:00"),
        ('kind = "local_epoch_s"', {"at": AT}, "2024-06-15T08:30:00"),
        ('kind = "local_epoch_ms"', {"at": AT * 1000}, "2024-06-15T08:30:00"),
        ('kind = "rfc3339"', {"at": "2024-06-15T08:30:00-04:00"}, "2024-06-15T08:30:00-04:00"),
        ('kind = "naive_local"', {"at": "2024-06-15T08:30:00"}, "2024-06-15T08:30:00"),
        ('kind = "naive_utc"', {"at": "2024-06-15T08:30:00"}, "2024-06-15T08:30:00+00:00"),
        ('kind = "naive_local"\noffset = "tz"\noffset_in = "hours"', {"at": "2024-06-15T08:30:00", "tz": -3.5},
         "2024-06-15T08:30:00-03:30"),
        ('kind = "naive_local"\noffset = "tz"\noffset_in = "minutes"', {"at": "2024-06-15T08:30:00"},
         "2024-06-15T08:30:00"),
    ],
)  # fmt: skip
def test_each_kind_of_time(time: str, fields: dict[str, Any], wanted: str) -> None:
    sample = one(SMALL.replace('kind = "none"', f'path = "at"\n{time}'), **fields)
    assert sample.device_time is not None
    assert sample.device_time.text == wanted


@pytest.mark.parametrize(
    ("time", "fields", "refusal"),
    [
        ('kind = "epoch_s"', {}, Truncated),
        ('kind = "epoch_s"', {"at": 1.5}, BadValue),
        ('kind = "epoch_s"', {"at": 10**30}, BadValue),
        ('kind = "rfc3339"', {"at": "2024-06-15T08:30:00"}, BadValue),
        ('kind = "naive_utc"', {"at": "2024-06-15T08:30:00Z"}, BadValue),
        ('kind = "naive_local"', {"at": "15/06/2024 08:30"}, BadValue),
        ('kind = "local_epoch_s"\noffset = "tz"\noffset_in = "hours"', {"at": AT, "tz": -200}, BadValue),
        ('kind = "local_epoch_s"\noffset = "tz"\noffset_in = "seconds"', {"at": AT, "tz": 59}, BadValue),
    ],
)  # fmt: skip
def test_a_time_in_another_form_is_refused(time: str, fields: dict[str, Any], refusal: type[DecodeError]) -> None:
    with pytest.raises(refusal):
        one(SMALL.replace('kind = "none"', f'path = "at"\n{time}'), **fields)


def test_a_guessed_time_says_so() -> None:
    told = 'path = "at"\nkind = "epoch_s"\nestimated_where = { path = "guess", equals = true }'
    times = [one(SMALL.replace('kind = "none"', told), at=AT, guess=guess).device_time for guess in (True, False)]
    assert [time.estimated for time in times if time] == [True, False]


# Values.


@pytest.mark.parametrize(
    ("row", "kg", "wanted"),
    [
        ("absent = [999, 12.5]", 999, "not_available"),
        ("absent = [999, 12.5]", 12.5, "not_available"),
        ('instead = { HI = "above_range" }', "HI", "above_range"),
        ("", 0, "not_available"),
    ],
)
def test_what_stands_for_nothing_is_absent(row: str, kg: Any, wanted: str) -> None:
    (seen,) = one(f"{SMALL}{row}\n", kg=kg).absent
    assert seen.why == wanted


def test_a_step_multiplies_exactly() -> None:
    (seen,) = one(f"{SMALL}step = 0.005\n", kg=14001).measured
    assert seen.value == Decimal("70.005")


def test_a_number_as_text_is_read_only_where_it_is_said() -> None:
    assert one(f"{SMALL}spelled = true\n", kg="70.50").measured[0].text == "70.50"
    with pytest.raises(BadValue):
        one(SMALL, kg="70.50")


def test_a_unit_nobody_states_makes_no_value() -> None:
    (seen,) = one(SMALL.replace('unit = "kg"', 'unit = "not_stated"')).absent
    assert seen.why == "unit_not_stated"


def test_a_device_named_by_the_topic_alone() -> None:
    (sample,) = decoded(made(SMALL.replace('id = "id"', 'id = "@topic[1]"')), {"kg": 70}, topic="acme/350001/scale")
    assert sample.device is not None
    assert sample.device.id == "small:350001"
    with pytest.raises(Truncated):
        decoded(made(SMALL.replace('id = "id"', 'id = "@topic[1]"')), {"kg": 70})


def test_a_marker_of_another_type_refuses_rather_than_passes_a_test_for_a_measurement() -> None:
    text = f'{SMALL}[event]\ntest = {{ path = "demo", equals = true }}\n'
    assert [one(text, demo=demo).context for demo in (True, False, None)] == ["test", "normal", "normal"]
    with pytest.raises(BadValue):
        one(text, demo="true")


def test_what_is_ignored_gives_nothing_and_what_is_unknown_is_refused() -> None:
    driver = made(EXAMPLE)
    assert decoded(driver, {"imei": "1", "event": "heartbeat"}) == ()
    with pytest.raises(UnknownLayout):
        decoded(driver, {"imei": "1", "readings": [{"type": "XX"}]})
    with pytest.raises(Truncated):
        decoded(driver, {"imei": "1", "event": "firmware"})


# Paths.


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ("[2]", (2,)),
        ("$.a[1][2]", ("a", 1, 2)),
        ('"a.b".c', ("a.b", "c")),
        ("@topic[3]", (3,)),
        ("spo2 %.x-y", ("spo2 %", "x-y")),
    ],
)
def test_a_path_is_names_and_places(text: str, steps: tuple[object, ...]) -> None:
    assert read_path(text).steps == steps


@pytest.mark.parametrize(
    "text",
    ["", ".", ".a", "a.", "a..b", "a[", "a[x]", "a[-1]", "a[*]", "a[]", "a b\n", "$", "$.", "@topic", "@topic[1].a",
     "@topic[a]", '"a', "a[99999]", ".".join("a" * 17), "a" * 300, 7, None, "a[0]b"],
)  # fmt: skip
def test_anything_else_is_no_path(text: object) -> None:
    with pytest.raises(ValueError, match=r"must|is no path"):
        read_path(text)


@given(text=st.text(alphabet='ab.[]0"$@topic ', max_size=20), document=ANY_JSON)
def test_whatever_path_leads_somewhere_or_nowhere(text: str, document: Any) -> None:
    try:
        path = read_path(text)
    except ValueError:
        return
    node = Node(document)
    assert path.glance(Scope(node, node, Node(["a"]))) is None or path.find(Scope(node, node, Node(["a"]))) is not None


# Mistakes.


def test_every_mistake_is_reported_at_once_with_its_line() -> None:
    found = mistakes_in(
        'driver = "stel"\nversion = 0\nbogus = 1\n[device]\nid = "a..b"\nmodle = "m"\n'
        '[time]\nkind = "epoch"\n[capture]\nchannel = "device_only"\n'
        '[[reading]]\n[[reading.value]]\nof = "pulse"\npath = "p"\nunit = "/min"\n'
        '[[reading]]\n[[reading.value]]\nof = "spo2"\npath = "p"\nunit = "mm[Hg]"\n[[reading.value]]\nof = "spo2"\n'
    )
    text = "\n".join(found)
    for line, path in [
        (1, "driver"), (2, "version"), (3, "bogus"), (5, "device.id"), (6, "device.modle"), (8, "time.kind"),
        (9, "capture.reason"), (11, "reading[0].when"), (13, "reading[0].value[0].of"),
        (20, "reading[1].value[0].unit"), (21, "reading[1].value[1].path"), (21, "reading[1].value[1].unit"),
    ]:  # fmt: skip
        assert f"line {line}: {path} " in text, (path, text)
    assert "documented is missing" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('driver = "map-small"', 'driver = "map-Small"', "driver must be"),
        ('documented = "a test"\n', "", "documented is missing"),
        ('kind = "none"', 'kind = "none"\npath = "at"', "stands beside"),
        ('kind = "none"', 'kind = "rfc3339"', "time.path is missing"),
        ('kind = "none"', 'kind = "rfc3339"\npath = "at"\noffset = "o"\noffset_in = "hours"', "belongs to a local"),
        ('kind = "none"', 'kind = "naive_local"\npath = "at"\noffset = "o"', "together"),
        ('unit = "kg"', 'unit = "stone"', "must be"),
        ('unit = "kg"', 'unit = "kg"\nunit_path = "u"\nunits = { k = "kg" }', "needed once"),
        ('unit = "kg"', 'unit_path = "u"', "together"),
        ('unit = "kg"', 'unit_path = "u"\nunits = { k = "Cel" }', "must be"),
        ('unit = "kg"', 'unit = "kg"\nstep = 0.1234567', "at most 6 digits"),
        ('unit = "kg"', 'unit = "kg"\nstep = inf', "above 0"),
        ('unit = "kg"', 'unit = "kg"\nabsent = "999"', "must be a number"),
        ('unit = "kg"', 'unit = "kg"\n[[reading.value]]\nof = "weight"\npath = "x"\nunit = "kg"', "one kind twice"),
        ("[[reading]]\n", "[[reading]]\nignore = true\n", "ignores what it describes"),
        ("[[reading]]\n", "[[reading]]\nwhen = [{ path = 'x' }]\n", "one of the two"),
        ("[[reading]]\n", "[[ignore]]\n[[reading]]\n", "when is missing"),
        ("[[reading]]\n", "[capture]\nchannel = 'device_marked'\nreason = 'r'\n[[reading]]\n", "device is missing"),
        ("[[reading]]\n", "[capture]\ndevice = 'A'\n[[reading]]\n", "path is missing"),
        ("[[reading]]\n", "[capture]\npath = 'a'\ndevice = 'A'\nmanual_staff = 'A'\n[[reading]]\n", "one word twice"),
        ("[[reading]]\n", "[[vector]]\nid = 'a'\nsource = 's'\nframe = '{}'\n[[reading]]\n", "samples is needed"),
        ("[[reading]]\n", "[[vector]]\nraises = 'OSError'\n[[reading]]\n", "is no refusal"),
        ("[device]\n", "records = 'r'\n[[ignore]]\nwhen = [{ path = 'x', equals = 1 }]\n[device]\n", "whole messages"),
        ('[device]\nid = "id"\n', "", "device is missing"),
        ("driver", "driver = ", "not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_says_what_to_do(old: str, new: str, said: str) -> None:
    assert old in SMALL
    assert said in "\n".join(mistakes_in(SMALL.replace(old, new, 1)))


@given(draw=st.data())
def test_a_broken_file_is_refused_or_read_never_more(draw: st.DataObject) -> None:
    lines = EXAMPLE.splitlines()
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(lines) - 1))
        odd = st.sampled_from(
            ["", "path = 7", "equals = []", "unit = {}", "when = 1", "[[reading]]", "step = nan", "x"]
        )
        lines[at] = draw.draw(odd | st.sampled_from(lines))
    assert read_or_refused("\n".join(lines))


def read_or_refused(text: str) -> str | list[str]:
    try:
        return parse_mapping(text).driver.name
    except ConfigInvalid as error:
        return error.mistakes


# From the configuration and the command.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hub.toml"
    path.write_text(EXAMPLE, "utf-8")
    return path


def test_a_mapping_of_the_configuration_serves_topics(file: Path) -> None:
    text = GOOD.replace('driver = "telli"', 'driver = "map-acme"') + f'[[mapping]]\nfile = "{file}"\n'
    options = load.parse(text)
    assert [driver.name for driver in options.mapped] == ["map-acme"]
    assert options.mqtt[0].topics[1].driver == "map-acme"
    named = registry.lookup(options.mapped)
    assert named("map-acme") is options.mapped[0]
    assert named("stel") is registry.named("stel")


def test_mistakes_of_a_mapping_stand_among_those_of_the_configuration(file: Path) -> None:
    file.write_text(EXAMPLE.replace('kind = "epoch_s"', 'kind = "epoch"'), "utf-8")
    tables = "".join(f'[[mapping]]\nfile = "{path}"\n' for path in (file, "/nowhere/hub.toml"))
    with pytest.raises(ConfigInvalid) as caught:
        load.parse(GOOD.replace('site = "home"', 'site = "moon"') + tables)
    text = "\n".join(caught.value.mistakes)
    assert re.search(rf"{file}: line \d+: time\.kind must be", text)
    assert "/nowhere/hub.toml cannot be read" in text
    assert "hub.site" in text


def test_two_mappings_of_one_name_are_a_mistake(file: Path) -> None:
    with pytest.raises(ConfigInvalid, match="another mapping has the name"):
        load.parse(GOOD + f'[[mapping]]\nfile = "{file}"\n' * 2)


def test_decode_tries_a_mapping_without_a_configuration(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payload = tmp_path / "payload"
    payload.write_text(parse_mapping(EXAMPLE).vectors[0].frame + "\n{}\n", "utf-8")
    assert main(["decode", "--mapping", str(file), "--file", str(payload)]) == 65
    good, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert good["samples"][0]["observations"][0]["value"] == "128"
    assert bad["error"]["kind"] == "Truncated"


def test_decode_checks_a_mappings_vectors(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--mapping", str(file), "--check"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"vector": "acme-bp", "ok": True}, {"vector": "acme-typed", "ok": True}
    ]  # fmt: skip
    file.write_text(EXAMPLE.replace('"37.2 Cel"', '"37.3 Cel"'), "utf-8")
    assert main(["decode", "--mapping", str(file), "--check"]) == 65
    assert json.loads(capsys.readouterr().out.splitlines()[1])["ok"] is False
    file.write_text(EXAMPLE.replace('id = "sensor"\n', ""), "utf-8")
    assert main(["decode", "--mapping", str(file), "--check"]) == 78
    assert "device.id is missing" in capsys.readouterr().err


def test_check_without_a_mapping_or_vectors_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--driver", "stel", "--check"]) == 2
    (tmp_path / "small.toml").write_text(SMALL, "utf-8")
    assert main(["decode", "--mapping", str(tmp_path / "small.toml"), "--check"]) == 65
    assert "no vectors" in capsys.readouterr().err
