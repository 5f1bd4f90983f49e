"""What holds for every serial decoder and every stream, and what the vectors' words cannot say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Driver, Link
from drivers.framing import Framer
from drivers.registry import find, named
from gateway.core.errors import DecodeError
from gateway.core.reading import Context, Frame, Origin, Sample, SampleKind
from tests.drivers import vectors

SERIAL = [driver for driver in find().values() if driver.link is Link.SERIAL]
SOURCES = [(driver, source) for driver in SERIAL for source in driver.sources]
each_source = pytest.mark.parametrize(
    ("driver", "source"), SOURCES, ids=[f"{driver.name}:{source}" for driver, source in SOURCES]
)
# Bytes the formats are made of, so that more than the first check is met.
SALT = [
    b"\x02",
    b"\x03",
    b"\x1bR",
    b"\x1bE",
    b"\r\n",
    b"P ",
    b"SPO2=",
    b"M101",
    b"0x0000  END\r\n",
    b"R|2|",
    b"|",
    b"\x51",
]
PAYLOADS = st.lists(st.one_of(st.binary(max_size=20), st.sampled_from(SALT)), max_size=8).map(b"".join)


def decoded(driver: Driver, source: str, payload: bytes) -> tuple[Sample, ...] | DecodeError:
    try:
        return driver.decode(Frame(payload, source))
    except DecodeError as error:
        return error


def frames_of(driver: Driver, source: str) -> list[bytes]:
    return [v.as_frame(driver).payload for v in vectors.load(driver.name) if v.format in (source, None)]


def whole_frames_of(driver: Driver, source: str) -> list[bytes]:
    return [raw for raw in frames_of(driver, source) if not isinstance(decoded(driver, source, raw), DecodeError)]


@each_source
@given(payload=PAYLOADS)
def test_any_bytes_decode_or_raise_a_decode_error(driver: Driver, source: str, payload: bytes) -> None:
    result = decoded(driver, source, payload)
    if isinstance(result, DecodeError):
        assert str(result).endswith(".")
        return
    for sample in result:
        for seen in sample.measured:
            assert "E" not in seen.text
            assert seen.value > 0


@each_source
@given(data=st.data())
def test_every_piece_and_flipped_bit_decodes_or_is_refused(driver: Driver, source: str, data: st.DataObject) -> None:
    payload = data.draw(st.sampled_from([raw for raw in frames_of(driver, source) if raw]))
    begin = data.draw(st.integers(0, len(payload)))
    decoded(driver, source, payload[begin:])
    decoded(driver, source, payload[:begin])
    at, bit = data.draw(st.integers(0, len(payload) - 1)), data.draw(st.integers(0, 7))
    result = decoded(driver, source, payload[:at] + bytes((payload[at] ^ 1 << bit,)) + payload[at + 1 :])
    assert isinstance(result, DecodeError | tuple)


@each_source
def test_an_empty_frame_is_refused(driver: Driver, source: str) -> None:
    assert isinstance(decoded(driver, source, b""), DecodeError)


@each_source
def test_every_source_says_how_its_bytes_come(driver: Driver, source: str) -> None:
    line = driver.lines[source]
    assert line.baud in (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200)
    assert line.mode in ("8N1", "8E1", "8O1", "8N2", "7E1")
    assert driver.lines.keys() == driver.sources.keys()


@each_source
def test_its_framing_gives_back_what_its_decoder_reads(driver: Driver, source: str) -> None:
    """Each vector that is one frame as it stands on the wire, fed in pieces, means what it means whole."""
    met = 0
    for payload in whole_frames_of(driver, source):
        framer = Framer(driver.lines[source].framing)
        frames = [one for at in range(0, len(payload), 7) for one in framer.feed(payload[at : at + 7])]
        frames += framer.silent()
        parts = [sample for one in frames for sample in driver.decode(Frame(one, source))]
        if len(frames) == 1:
            assert tuple(parts) == driver.decode(Frame(payload, source))
            met += 1
    assert met


@each_source
@given(noise=st.binary(max_size=2000))
def test_noise_never_grows(driver: Driver, source: str, noise: bytes) -> None:
    longest = driver.lines[source].framing.longest
    framer = Framer(driver.lines[source].framing)
    for _ in range(3):
        frames = framer.feed(noise)
        assert framer.held < longest
        assert all(len(one) <= longest for one in frames)


@pytest.mark.parametrize(
    ("name", "source", "vector", "now"),
    [
        ("serial-masimo", "ascii1", "masimo-rad8-02", "2016-02-22T22:47:46"),
        ("serial-nellcor", "ascii", "nellcor-live-block", "1997-11-12T14:00:05"),
        ("serial-and", "packet", "and-pbtc-01", "2012-09-22T08:12:22"),
        ("serial-onetouch-ultra2", "dump", "ot2-clock", "2013-08-03T22:15:00"),
        ("serial-freestyle-optium", "log", "fslog-dump", "2013-08-04T09:15:30"),
        ("serial-contour", "astm", "contour-01-header", "2019-09-22T13:04:00"),
        ("serial-taidoc", "td42", "td42-clock", "2018-01-01T21:14:00"),
    ],
)
def test_the_devices_own_clock_is_told(name: str, source: str, vector: str, now: str) -> None:
    driver = named(name)
    (row,) = (row for row in vectors.load(name) if row.id == vector)
    first, *_ = driver.decode(Frame(row.as_frame(driver).payload, source))
    assert dict(first.technical)["device_now"] == now


def test_nothing_from_memory_is_taken_for_the_devices_clock() -> None:
    for driver, source in SOURCES:
        for payload in whole_frames_of(driver, source):
            for sample in driver.decode(Frame(payload, source)):
                # a packet of A&D's tells the time of its sending beside the time of its measurement
                told = "device_now" in dict(sample.technical) and driver.name != "serial-and"
                assert not told or sample.origin is Origin.LIVE


def test_what_is_typed_on_a_scale_is_never_in_a_sample() -> None:
    driver = named("serial-health-o-meter")
    (row,) = (row for row in vectors.load(driver.name) if row.id == "hom-01")
    payload = row.as_frame(driver).payload
    assert b"1234567890" in payload
    assert "1234567890" not in repr(driver.decode(Frame(payload, "esc")))


def test_a_contec_users_name_is_never_in_a_sample() -> None:
    driver = named("serial-contec")
    (row,) = (row for row in vectors.load(driver.name) if row.id == "contec7-devid")
    assert driver.decode(row.as_frame(driver)) == ()


def test_a_control_solution_is_never_a_patients_value() -> None:
    found = 0
    for driver, source in SOURCES:
        for payload in whole_frames_of(driver, source):
            for sample in driver.decode(Frame(payload, source)):
                is_control = any(o.kind.code == "MDC_CONC_GLU_CONTROL" for o in sample.observations)
                assert is_control == (sample.context is Context.CONTROL)
                found += is_control
    assert found > 5


def test_what_holds_no_value_is_a_status_but_a_meters_high_and_low() -> None:
    for driver, source in SOURCES:
        for payload in whole_frames_of(driver, source):
            for sample in driver.decode(Frame(payload, source)):
                beyond = {absent.why.value for absent in sample.absent} & {"above_range", "below_range"}
                assert (sample.kind is SampleKind.READING) == bool(sample.measured or beyond)


def test_a_night_of_seconds_follows_its_start() -> None:
    driver = named("serial-contec")
    start = bytes.fromhex("07808080948e8892" + "1280808082a69280")
    samples = driver.decode(Frame(start + bytes.fromhex("0f80e2c6e2c6e2c6") * 1200, "v7"))
    times = [sample.device_time.text for sample in samples if sample.device_time]
    assert (len(times), len(set(times))) == (3600, 3600)
    assert times[-1] == "2014-08-18T03:38:17"
