import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.allowance import Allowance

DAY_S = 86_400.0
ranges = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(lambda pair: (min(pair), max(pair))))


def test_small_asks_are_granted_whole() -> None:
    assert Allowance().within([(1, 10), (20, 20)], 0.0) == [(1, 10), (20, 20)]


def test_a_large_ask_is_granted_from_its_beginning() -> None:
    assert Allowance().within([(1, 2**53)], 0.0) == [(1, 100_000)]


def test_what_was_not_sent_again_costs_nothing() -> None:
    allowance = Allowance()
    allowance.within([(1, 2**53)], 0.0)
    allowance.spend(0)
    assert allowance.within([(5, 6)], 0.0) == [(5, 6)]


def test_a_spent_allowance_comes_back_within_a_day() -> None:
    allowance = Allowance()
    allowance.within([(1, 100_000)], 0.0)
    allowance.spend(100_000)
    assert allowance.within([(1, 1)], 0.0) == []
    assert allowance.within([(1, 100_000)], DAY_S / 4) == [(1, 25_000)]
    assert allowance.within([(1, 200_000)], 99 * DAY_S) == [(1, 100_000)]


@given(st.lists(st.tuples(ranges, st.floats(0, DAY_S / 10)), max_size=20))
def test_a_backend_that_always_asks_makes_no_storm(asks: list[tuple[list[tuple[int, int]], float]]) -> None:
    allowance, now_s, sent = Allowance(), 0.0, 0
    for ask, past_s in asks:
        now_s += past_s
        granted = allowance.within(ask, now_s)
        records = sum(last - first + 1 for first, last in granted)
        allowance.spend(records)
        sent += records
        assert all(first <= last for first, last in granted)
    assert sent <= 100_000 * (1 + now_s / DAY_S) + len(asks)


@pytest.mark.parametrize("records", [0, 1, 10**9])
def test_it_never_owes(records: int) -> None:
    allowance = Allowance()
    allowance.spend(records)
    assert allowance.left >= 0.0
