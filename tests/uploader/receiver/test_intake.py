"""What becomes of a record, and which records are asked for."""

import json
from datetime import date
from typing import Any

import pytest

from tests.uploader.receiver import samples
from uploader.receiver import intake, ledger
from uploader.receiver.delivery import read
from uploader.receiver.options import Asking
from uploader.receiver.period import Question
from uploader.receiver.problem import Problem
from uploader.receiver.store import Store

MINUTE_MS = 60_000
WHOLE = Question("pt-8842", "RPM", date(2026, 1, 1), date(2026, 12, 31))


def send(store: Store, records: list[Any], batch_id: str = "b-1", hub: str = "hub-7", now_ms: int = 0) -> Any:
    body = samples.batch(records, batch_id, hub)
    delivery = read(json.loads(body), batch_id, 2000)
    return json.loads(intake.take(store, delivery, body, Asking(), now_ms))


def statuses(answer: Any) -> list[str]:
    return [result["status"] for result in answer["results"]]


def reasons(answer: Any) -> list[str]:
    return [result["reason"] for result in answer["results"] if result["status"] == "refused"]


def test_a_record_is_kept_once(store: Store) -> None:
    records = samples.chained([samples.reading(0), samples.event(), samples.reading(1)])
    assert statuses(send(store, records)) == ["accepted"] * 3
    assert statuses(send(store, records, "b-2")) == ["duplicate"] * 3
    assert ledger.ledger(store.db, WHOLE).counted == 2


def test_a_retry_hears_the_same(store: Store) -> None:
    records = samples.chained([samples.reading(day) for day in range(5)])
    first = send(store, records[3:])
    send(store, records[:3], "b-2")
    assert send(store, records[3:], now_ms=MINUTE_MS) == first
    assert first["missing"] == [[1, 3]]


def test_a_batch_id_is_not_used_twice(store: Store) -> None:
    records = samples.chained([samples.reading(0), samples.reading(1)])
    send(store, records[:1])
    with pytest.raises(Problem) as caught:
        send(store, records)
    assert caught.value.status_code == 422
    assert statuses(send(store, records, hub="hub-8")) == ["duplicate", "accepted"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame": "00"}, "hash is not that of its content"),
        ({"type": "song"}, "type"),
        ({"seq": 0}, "seq"),
        ({"seq": True}, "seq"),
        ({"seq": 2**53}, "seq"),
        ({"prev": "0"}, "prev"),
        ({"hash": "A" * 64}, "hash"),
        ({"weight": 1.5}, "canonical"),
        ({"note": "\ud800"}, "canonical"),
    ],
)
def test_what_is_not_a_link_is_refused(store: Store, change: dict[str, Any], words: str) -> None:
    (record,) = samples.chained([samples.reading(0)])
    assert words in reasons(send(store, [{**record, **change}]))[0]
    assert statuses(send(store, [record], "b-2")) == ["accepted"]


@pytest.mark.parametrize(
    "change",
    [
        {"qualifies": None},
        {"qualifies": {"day": "yes"}},
        {"qualifies": {"day": True, "reason": 7}},
        {"automatic": None},
        {"capture": 1},
        {"patient": ""},
        {"patient": "Mrs Smith"},
        {"local_date": "2026-02-30"},
        {"local_date": "20261101"},
        {"received_at": None},
        {"program": "XYZ"},
        {"corrects": 5},
    ],
)
def test_a_reading_the_ledger_cannot_use_is_refused(store: Store, change: dict[str, Any]) -> None:
    records = samples.chained([{**samples.reading(0), **change}])
    assert statuses(send(store, records)) == ["refused"]
    name = next(iter(change))
    assert reasons(send(store, records))[0].startswith(f"Its {name}")


def test_another_record_under_a_number_is_refused(store: Store) -> None:
    send(store, samples.chained([samples.reading(0)]))
    anew = send(store, samples.chained([samples.reading(5)], prefix="x"), "b-2")
    assert "needs a hub id of its own" in reasons(anew)[0]
    assert ledger.hubs(store.db)[0]["refused"][0]["seq"] == 1


def test_a_record_id_is_not_used_twice_by_a_hub(store: Store) -> None:
    one, two = samples.chained([samples.reading(0), samples.reading(1)])
    twin = samples.renamed(two, one["record_id"])
    assert "record_id as number 1" in reasons(send(store, [one, twin]))[0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_broken_link_is_noticed_from_either_side(store: Store, order: tuple[int, int]) -> None:
    records = samples.chained([samples.reading(0), samples.reading(1)])
    records[0] = samples.rehashed(records[0], frame="ff")
    answers = [send(store, [records[at]], f"b-{at}") for at in order]
    assert [statuses(answer) for answer in answers] == [["accepted"], ["refused"]]
    assert "chain was altered" in reasons(answers[1])[0]


def test_the_first_record_follows_nothing(store: Store) -> None:
    records = samples.chained([samples.reading(0)], prev="a" * 64)
    assert "64 zeros" in reasons(send(store, records))[0]


def test_a_gap_is_asked_for_a_few_times_and_then_no_more(store: Store) -> None:
    records = samples.chained([samples.reading(day) for day in range(60)])
    asked_at = [
        minute for minute in range(60) if send(store, records[50:], f"b-{minute}", now_ms=minute * MINUTE_MS)["missing"]
    ]
    assert asked_at == [0, 1, 3, 7, 15]


def test_a_gap_that_is_split_is_not_asked_for_anew(store: Store) -> None:
    records = samples.chained([samples.reading(day) for day in range(60)])
    assert send(store, records[50:])["missing"] == [[1, 50]]
    assert send(store, records[20:30], "b-2", now_ms=1)["missing"] == []
    assert send(store, records[50:], "b-3", now_ms=MINUTE_MS)["missing"] == [[1, 20], [31, 50]]
    assert send(store, records[50:], "b-4", now_ms=2 * MINUTE_MS)["missing"] == []


def test_another_gap_is_asked_for_at_once(store: Store) -> None:
    records = samples.chained([samples.reading(day) for day in range(60)])
    send(store, records[10:20])
    assert send(store, records[30:40], "b-2")["missing"] == [[21, 30]]
    assert send(store, records[:10], "b-3")["missing"] == []
    assert statuses(send(store, records[20:30], "b-4")) == ["accepted"] * 10
    (hub,) = ledger.hubs(store.db)
    assert (hub["verified"], hub["verified_to"], hub["missing"], hub["missing_records"]) == ([(1, 40)], 40, [], 0)


def test_answers_hold_a_bounded_number_of_ranges(store: Store) -> None:
    records = samples.chained([samples.reading(day % 20) for day in range(100)])
    assert len(send(store, records[1::2])["missing"]) == 32
    assert len(send(store, records[:2], "b-2", now_ms=1)["missing"]) == 1


def test_a_claim_to_qualify_does_not_make_a_typed_value_count(store: Store) -> None:
    typed = samples.reading(0, capture="manual_staff")
    claimed = {**samples.reading(1, capture="manual_patient"), "automatic": True}
    send(store, samples.chained([typed, claimed]))
    found = ledger.ledger(store.db, WHOLE)
    assert found.counted == 0
    assert {day.date: (day.readings, day.manual) for day in found.days.values()} == {
        samples.local_date(0): (1, 1),
        samples.local_date(1): (1, 1),
    }


def test_rtm_is_counted_apart_and_may_be_reported_by_a_person(store: Store) -> None:
    reported = {**samples.reading(0, capture="manual_patient"), "program": "RTM"}
    send(store, samples.chained([reported, samples.reading(1)]))
    assert ledger.ledger(store.db, WHOLE).counted == 1
    assert ledger.ledger(store.db, Question("pt-8842", "RTM", WHOLE.first, WHOLE.last)).counted == 1


def test_a_corrected_reading_counts_no_more(store: Store) -> None:
    records = samples.chained([samples.reading(0), samples.reading(3, corrects="r-1")])
    send(store, records)
    assert list(ledger.ledger(store.db, WHOLE).days) == [samples.local_date(3)]


def test_what_two_hubs_heard_is_one_reading(store: Store) -> None:
    at_clinic = samples.reading(0, reason="Q08 not remote", site="clinic")
    send(store, samples.chained([at_clinic]), hub="clinic-1")
    answer = send(store, samples.chained([samples.reading(0)]), hub="hub-7")
    assert statuses(answer) == ["duplicate"]
    found = ledger.ledger(store.db, WHOLE)
    assert [(day.readings, day.counted) for day in found.days.values()] == [(1, True)]
    assert [hub["records"] for hub in ledger.hubs(store.db)] == [1, 1]


def test_readings_without_a_date_are_shown_and_count_for_none(store: Store) -> None:
    undated = {**samples.reading(0, reason="Q09 time untrusted"), "measured_at": None, "local_date": None}
    send(store, samples.chained([undated]))
    found = ledger.ledger(store.db, WHOLE)
    assert (found.counted, found.days, found.undated.readings) == (0, {}, 1)
