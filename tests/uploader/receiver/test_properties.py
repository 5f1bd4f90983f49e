"""
Whatever the order, repetition and splitting of batches, the ledger is the same; a chain altered anywhere is noticed.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.uploader.receiver import samples
from uploader.receiver import intake, ledger
from uploader.receiver.delivery import read
from uploader.receiver.options import Asking
from uploader.receiver.period import Question
from uploader.receiver.store import Store

PATIENTS = ("pt-1", "pt-2")
REASONS = (None, None, "Q01 not automatic", "Q11 quality caution")


@contextmanager
def fresh_store() -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "receiver.db")
        store.db.execute("PRAGMA synchronous=OFF")  # what is looked at here is what is kept, not whether it is on disk
        yield store
        store.close()


def send(store: Store, records: list[Any], batch_id: str, hub: str) -> list[str]:
    body = samples.batch(records, batch_id, hub)
    answer = intake.take(store, read(json.loads(body), batch_id, 2000), body, Asking(), 0)
    return [result["status"] for result in json.loads(answer)["results"]]


def view(store: Store) -> Any:
    """All that people see: each patient's days and readings, and each chain."""
    year = date(2026, 1, 1), date(2026, 12, 31)
    questions = [Question(patient, "RPM", *year) for patient in PATIENTS]
    days = [ledger.as_json(ledger.ledger(store.db, question)) for question in questions]
    readings = [ledger.readings(store.db, question, 1000) for question in questions]
    hubs = [{**hub, "refused": None, "first_seen": None} for hub in ledger.hubs(store.db)]
    return days, readings, hubs


body_of = st.builds(
    samples.reading, st.integers(0, 20), patient=st.sampled_from((*PATIENTS, None)), reason=st.sampled_from(REASONS)
)
chain_of = st.lists(body_of, min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(first=chain_of, second=chain_of, choices=st.data())
def test_order_repetition_and_splitting_make_no_difference(
    first: list[Any], second: list[Any], choices: st.DataObject
) -> None:
    # Both hubs number their events alike, so the shared ones are heard by both.
    chains = {"hub-1": samples.chained(first), "hub-2": samples.chained(second)}
    links = [(hub, record) for hub, records in chains.items() for record in records]
    with fresh_store() as straight, fresh_store() as shaken:
        for hub, records in chains.items():
            send(straight, records, "b-1", hub)
        again = choices.draw(st.lists(st.sampled_from(links), max_size=10))
        order = choices.draw(st.permutations(links + again))
        while order:
            hub = order[0][0]
            size = choices.draw(st.integers(1, 5))
            taken = [record for at, record in order[:size] if at == hub]
            order = [link for link in order[:size] if link[0] != hub] + order[size:]
            assert "refused" not in send(shaken, taken, f"b-{len(order)}-{hub}", hub)
        assert view(shaken) == view(straight)


@settings(max_examples=60, deadline=None)
@given(bodies=st.lists(body_of, min_size=2, max_size=8), choices=st.data())
def test_an_altered_chain_is_noticed(bodies: list[Any], choices: st.DataObject) -> None:
    records = samples.chained(bodies)
    at = choices.draw(st.integers(0, len(records) - 2))
    how = choices.draw(st.sampled_from(("edit", "forge", "drop", "swap", "insert")))
    altered = list(records)
    match how:
        case "edit":
            altered[at] = {**records[at], "frame": "abad1dea"}
        case "forge":
            altered[at] = samples.rehashed(records[at], frame="abad1dea")
        case "drop":
            del altered[at]
        case "swap":
            altered[at] = {**records[at + 1], "seq": records[at]["seq"]}
        case _:
            altered.insert(at, samples.rehashed({**records[at], "record_id": "r-x"}, frame="abad1dea"))
    sent = choices.draw(st.permutations(altered))
    with fresh_store() as store:
        said = [
            status for number, record in enumerate(sent) for status in send(store, [record], f"b-{number}", "hub-7")
        ]
        (hub,) = ledger.hubs(store.db)
        assert "refused" in said or hub["missing"]
