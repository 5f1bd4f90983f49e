"""One reading a minute of what streams; statuses where they change; nothing from a memory is thinned."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.oximetry import pulse_rate, spo2
from drivers.transports.serial_thinner import EVERY_NS, GRACE_NS, Thinner
from gateway.core.reading import Origin, Sample, SampleKind, Signal

SECOND = 1_000_000_000
GOOD = Sample(observations=(spo2(97), pulse_rate(60)))
DOUBTFUL = Sample(observations=GOOD.observations, quality=Signal.CAUTION)
INVALID = Sample(observations=GOOD.observations, quality=Signal.INVALID)
STORED = Sample(observations=GOOD.observations, origin=Origin.STORED)
OUT = Sample(kind=SampleKind.STATUS, status=("probe_error",))


def taken(*given_: tuple[int, Sample], streams: bool = True, device: str = "a") -> list[int]:
    thinner = Thinner(streams=streams)
    return [at for at, sample in given_ if thinner.takes(sample, device, at * SECOND)]


def test_the_first_good_value_of_each_minute_is_taken() -> None:
    assert taken(*((at, GOOD) for at in range(150))) == [0, 60, 120]


def test_a_good_value_goes_before_a_doubtful_one() -> None:
    assert taken((0, DOUBTFUL), (1, DOUBTFUL), (2, GOOD)) == [2]


def test_where_none_is_good_the_doubtful_one_is_taken() -> None:
    assert taken(*((at, DOUBTFUL) for at in range(100))) == [10, 80]


def test_an_invalid_value_is_never_taken() -> None:
    assert taken(*((at, INVALID) for at in range(100))) == []


def test_a_status_is_taken_where_it_changes() -> None:
    assert taken(*((at, OUT) for at in range(1000))) == [0]
    assert taken((0, OUT), (70, GOOD), (140, OUT), (141, OUT)) == [0, 70, 140]


def test_what_does_not_stream_is_taken_whole_but_for_its_statuses() -> None:
    assert taken((0, GOOD), (1, GOOD), (2, OUT), (3, OUT), streams=False) == [0, 1, 2]


def test_nothing_from_a_memory_is_thinned() -> None:
    assert taken(*((0, STORED) for _ in range(50))) == [0] * 50


def test_devices_do_not_hide_each_other() -> None:
    thinner = Thinner(streams=True)
    assert thinner.takes(GOOD, "a", 0)
    assert thinner.takes(GOOD, "b", 0)
    assert not thinner.takes(GOOD, "a", SECOND)


def test_made_up_names_do_not_grow() -> None:
    thinner = Thinner(streams=True)
    for number in range(1000):
        thinner.takes(GOOD, str(number), 0)
    assert len(thinner._seen) <= 16


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 20 * SECOND), st.sampled_from([GOOD, DOUBTFUL, INVALID, OUT])), max_size=200
    )
)
def test_readings_are_a_minute_apart_and_never_missing_for_long(steps: list[tuple[int, Sample]]) -> None:
    thinner, now, last_kept, waiting_since = Thinner(streams=True), 0, -EVERY_NS, None
    for pause, sample in steps:
        now += pause
        takes = thinner.takes(sample, "a", now)
        if sample.kind is SampleKind.READING and takes:
            assert now - last_kept >= EVERY_NS
            assert sample.quality is not Signal.INVALID
            last_kept, waiting_since = now, None
        elif sample is GOOD:
            assert now - last_kept < EVERY_NS
        elif sample is DOUBTFUL and now - last_kept >= EVERY_NS:
            waiting_since = now if waiting_since is None else waiting_since
            assert now - waiting_since < GRACE_NS
        elif sample is OUT:
            waiting_since = None
