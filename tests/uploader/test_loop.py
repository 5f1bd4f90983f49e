"""The loop against an outbox and a cloud in memory; both are held to the real ones' contracts in their own tests."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import pytest
from structlog.testing import capture_logs

from gateway.core.batch import State
from gateway.core.errors import BadCredentials, StoreBroken, StoreFull
from gateway.core.link import LinkState
from gateway.core.record import canonical
from tests.fakes import cloud
from tests.fakes.clock import START_MS, FakeClock
from tests.fakes.cloud import FakeCloud, Say, unpacked
from tests.fakes.outbox import FakeOutbox
from uploader.envelope import Parcel
from uploader.loop import Uploader
from uploader.options import UploadOptions
from uploader.verdict import Answer

HUB = canonical({"id": "hub-7"})
HOUR_MS = 3_600_000
FHIR_ANSWER = b"""{"resourceType": "Bundle", "type": "transaction-response",
    "entry": [{"response": {"status": "201 Created"}}, {"response": {"status": "200 OK"}}]}"""


def record(number: int) -> tuple[str, bytes]:
    record_id = f"r{number}"
    return record_id, canonical({"record_id": record_id, "seq": number, "value": "128"})


class Bench:
    """One uploader with everything around it."""

    def __init__(self, script: Callable[[int], Say] = lambda _number: cloud.OK, batch_max: int = 10) -> None:
        self.outbox = FakeOutbox()
        self.cloud = FakeCloud(script)
        self.clock = FakeClock(jumps=True)
        self.link = LinkState("upload", "upload")
        options = UploadOptions("http://localhost/", batch_max=batch_max, batch_wait_s=0.2, compress="none")
        self.uploader = Uploader(self.outbox, self.cloud, options, self.clock, lambda: 1.0, self.link, HUB)

    @property
    def counts(self) -> dict[str, int]:
        return self.uploader.counts.by_outcome()

    @property
    def sent(self) -> list[list[str]]:
        bodies = (json.loads(unpacked(parcel.headers, parcel.body)) for parcel in self.cloud.requests)
        return [[one["record_id"] for one in body["records"]] for body in bodies]

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not met():  # noqa: ASYNC110 -- what is waited for is often no event: a count, a sentence
                await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def running(self):  # type: ignore[no-untyped-def] # noqa: ANN201 -- a context for these tests only
        task = asyncio.create_task(self.uploader.run())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def drain(bench: Bench, count: int) -> None:
    """Upload `count` records until none waits."""

    async def run() -> None:
        bench.outbox.add(*(record(number) for number in range(1, count + 1)))
        async with bench.running(), asyncio.timeout(20):
            await bench.outbox.until_sent()

    asyncio.run(run())


def test_every_record_is_accepted_in_order() -> None:
    bench = Bench()
    drain(bench, 25)
    assert bench.outbox.standing(State.ACCEPTED) == {f"r{n}" for n in range(1, 26)}
    assert [len(ids) for ids in bench.sent] == [10, 10, 5]
    assert list(chain(*bench.sent)) == [f"r{n}" for n in range(1, 26)]
    assert bench.counts == {"settled": 3}
    assert bench.link.is_up


def test_a_large_batch_is_packed_beside_the_loop() -> None:
    bench = Bench()
    bench.outbox.add(*((f"big{n}", canonical({"record_id": f"big{n}", "frame": "x" * 20_000})) for n in range(3)))
    drain(bench, 0)
    assert bench.sent == [["big0", "big1", "big2"]]


def test_an_empty_outbox_is_ready_and_knocks_nowhere() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            await bench.link.settled.wait()
            assert bench.cloud.requests == []
            assert not bench.link.is_up

    asyncio.run(run())


def test_the_first_record_waits_for_company() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            await bench.link.settled.wait()
            bench.outbox.add(record(1))
            await bench.outbox.until_sent()
            assert bench.clock.slept[0] == 0.2

    asyncio.run(run())


def test_a_long_wait_for_company_gives_signs_of_life() -> None:
    async def run() -> None:
        bench = Bench()
        bench.uploader.options = replace(bench.uploader.options, batch_wait_s=150.0)
        async with bench.running():
            await bench.link.settled.wait()
            bench.outbox.add(record(1))
            await bench.outbox.until_sent()
            assert bench.clock.slept[:3] == [60.0, 60.0, 30.0]

    asyncio.run(run())


def test_a_failure_sends_the_same_bytes_later() -> None:
    script: list[Say] = [503, cloud.LOST, cloud.SILENT, cloud.LOST_AFTER_COMMIT, cloud.PORTAL, cloud.OK]
    bench = Bench(lambda number: script[number])
    drain(bench, 3)
    assert len({parcel.body for parcel in bench.cloud.requests}) == 1
    assert bench.cloud.books.faults == []
    assert bench.clock.slept[:5] == [2.0, 2.0, 4.0, 8.0, 16.0]
    assert bench.counts == {"again": 5, "settled": 1}
    assert bench.uploader.counts.records == {"duplicate": 3}


def test_after_an_outage_one_probe_goes_before_the_rest() -> None:
    bench = Bench(lambda number: 500 if number < 3 else cloud.OK)
    drain(bench, 100)
    assert len({parcel.batch_id for parcel in bench.cloud.requests[:4]}) == 1
    assert bench.link.is_up


def test_a_failure_is_told_to_people() -> None:
    async def run() -> None:
        bench = Bench(lambda _number: cloud.LOST)
        bench.outbox.add(record(1))
        async with bench.running():
            await bench.until(lambda: len(bench.cloud.requests) > 3)
            assert not bench.link.is_up
            assert not bench.link.needs_person
            assert bench.link.settled.is_set()
            assert bench.link.why == "The connection to the backend broke before it answered."

    asyncio.run(run())


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_knocked_with_slowly(status: int) -> None:
    async def run() -> None:
        bench = Bench(lambda _number: status)
        bench.outbox.add(record(1))
        async with bench.running():
            await bench.until(lambda: len(bench.cloud.requests) == 7)
        past_s = (bench.clock.now().utc_ms - START_MS) / 1000
        assert past_s >= 60 + 120 + 240 + 480 + 900 + 900
        assert bench.link.needs_person
        assert bench.outbox.standing(State.BATCHED) == {"r1"}
        assert set(bench.counts) == {"hold"}

    asyncio.run(run())


def test_a_replaced_token_ends_the_wait() -> None:
    async def run() -> None:
        bench = Bench(lambda number: 401 if number == 0 else cloud.OK)
        bench.clock.jumps = False
        bench.outbox.add(record(1))
        async with bench.running():
            await bench.clock.asleep()
            bench.cloud.stamped += 1
            bench.clock.jump(10.0)
            await bench.outbox.until_sent()
        assert bench.clock.slept[0] == 10.0

    asyncio.run(run())


def test_credentials_that_cannot_be_read_hold() -> None:
    class Locked(FakeCloud):
        async def send(self, parcel: Parcel) -> Answer:
            self.requests.append(parcel)
            raise BadCredentials("The secret is not there.")

    async def run() -> None:
        bench = Bench()
        bench.uploader.client = bench.cloud = Locked()
        bench.outbox.add(record(1))
        async with bench.running():
            await bench.until(lambda: len(bench.cloud.requests) == 2)
            assert bench.link.needs_person
            assert bench.link.why == "The secret is not there."

    asyncio.run(run())


@pytest.mark.parametrize("count", [1, 2, 39, 40])
def test_one_poison_record_is_found_and_set_aside(count: int) -> None:
    bench = Bench(batch_max=100)
    bench.cloud.books.poison = frozenset({"r1"})
    drain(bench, count)
    assert bench.outbox.standing(State.REFUSED) == {"r1"}
    assert len(bench.outbox.standing(State.ACCEPTED)) == count - 1
    assert bench.outbox.records["r1"].reason == "HTTP 422: a record is not one"
    assert len(bench.cloud.requests) <= 2 * 6 + 1


def test_a_backend_that_refuses_everything_is_doubted_in_the_end() -> None:
    async def run() -> None:
        bench = Bench(lambda _number: 400, batch_max=100)
        bench.outbox.add(*(record(number) for number in range(1, 600)))
        async with bench.running():
            await bench.until(lambda: bench.link.needs_person)
            assert 500 < len(bench.outbox.standing(State.REFUSED)) < 510
            assert bench.link.why is not None
            assert "one record after the other" in bench.link.why

    asyncio.run(run())


def test_a_result_can_refuse_a_record() -> None:
    bench = Bench()
    bench.cloud.books.refuses = frozenset({"r2"})
    drain(bench, 3)
    assert bench.outbox.standing(State.REFUSED) == {"r2"}
    assert bench.outbox.records["r2"].reason == "not one of ours"


def test_a_record_without_a_result_is_sent_again() -> None:
    bench = Bench(lambda number: cloud.HALF if number == 0 else cloud.OK)
    drain(bench, 4)
    assert bench.sent == [["r1", "r2", "r3", "r4"], ["r2", "r4"]]


def test_answers_without_results_are_backed_off_from() -> None:
    bench = Bench(lambda number: cloud.NONE if number < 4 else cloud.OK)
    drain(bench, 4)
    waits = [slept for slept in bench.clock.slept if slept >= 1.0]
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_missing_records_are_sent_again() -> None:
    async def run() -> None:
        bench = Bench(lambda number: cloud.ASKS if number == 1 else cloud.OK)
        bench.cloud.books.missing = [[2, 3]]
        bench.outbox.add(*(record(number) for number in range(1, 5)))
        async with bench.running():
            await bench.outbox.until_sent()
            bench.outbox.add(record(5))
            await bench.until(lambda: len(bench.cloud.requests) == 3)
            await bench.outbox.until_sent()
        assert bench.sent == [["r1", "r2", "r3", "r4"], ["r5"], ["r2", "r3"]]
        assert bench.uploader.counts.asked_again == 2

    asyncio.run(run())


def test_a_backend_that_always_asks_makes_no_storm() -> None:
    async def run() -> None:
        bench = Bench(lambda _number: cloud.ASKS)
        bench.cloud.books.missing = [[1, 2**53]]
        bench.uploader._allowance.spend(100_000 - 50)
        bench.outbox.add(*(record(number) for number in range(1, 21)))
        async with bench.running():
            await bench.until(lambda: bench.uploader._allowance.left < 1 and not bench.outbox.batches)
            await bench.outbox.until_sent()
        assert sum(bench.cloud.books.arrivals.values()) <= 20 + 51

    asyncio.run(run())


def test_after_a_long_outage_every_second_batch_is_the_newest() -> None:
    bench = Bench(batch_max=2)
    bench.outbox.add(*(record(n) for n in range(1, 7)), received_ms=START_MS - 30 * 24 * HOUR_MS)
    bench.outbox.add(*(record(n) for n in range(7, 11)), received_ms=START_MS)
    drain(bench, 0)
    assert bench.sent == [["r9", "r10"], ["r1", "r2"], ["r7", "r8"], ["r3", "r4"], ["r5", "r6"]]


def test_within_a_day_the_oldest_goes_first() -> None:
    bench = Bench(batch_max=2)
    bench.outbox.add(*(record(n) for n in range(1, 7)), received_ms=START_MS - 23 * HOUR_MS)
    drain(bench, 0)
    assert list(chain(*bench.sent)) == ["r1", "r2", "r3", "r4", "r5", "r6"]


def test_a_server_that_speaks_fhir() -> None:
    """What the server answers is judged entry by entry; a captive portal is none."""
    answers = [Answer(200, b"<html>"), Answer(200, FHIR_ANSWER)]

    class Server(FakeCloud):
        async def send(self, parcel: Parcel) -> Answer:
            self.requests.append(parcel)
            return answers[len(self.requests) - 1]

    bench = Bench()
    bench.uploader.client = bench.cloud = Server()
    bench.uploader.options = replace(bench.uploader.options, format="fhir")
    drain(bench, 2)
    assert bench.outbox.standing(State.ACCEPTED) == {"r1", "r2"}
    assert bench.uploader.counts.records == {"accepted": 1, "duplicate": 1}
    assert json.loads(bench.cloud.requests[0].body)["resourceType"] == "Bundle"
    assert bench.cloud.requests[0].body == bench.cloud.requests[1].body


def test_a_full_store_is_waited_for() -> None:
    bench = Bench()
    bench.outbox.trouble = [StoreFull("There is no room."), StoreFull("There is no room.")]
    drain(bench, 15)
    assert len(bench.outbox.standing(State.ACCEPTED)) == 15
    assert bench.clock.slept[:2] == [1.0, 2.0]


def test_a_broken_store_ends_the_loop() -> None:
    async def run() -> None:
        bench = Bench()
        bench.outbox.trouble = [StoreBroken("The disk is gone.")]
        bench.outbox.add(record(1))
        with pytest.raises(StoreBroken):
            await bench.uploader.run()

    asyncio.run(run())


def test_a_cancelled_loop_leaves_nothing_behind() -> None:
    """Cancel after every turn of the loop in turn; start anew; nothing is lost, nothing altered."""

    async def run() -> None:
        bench = Bench()
        bench.outbox.add(*(record(number) for number in range(1, 31)))
        turns = 0
        while bench.outbox.standing(State.WAITING, State.BATCHED):
            turns += 1
            async with bench.running():
                for _ in range(turns):
                    await asyncio.sleep(0)
            fresh = Uploader(
                bench.outbox, bench.cloud, bench.uploader.options, bench.clock, lambda: 0.0, bench.link, HUB
            )
            bench.uploader = fresh
            bench.outbox.crash()
        assert bench.cloud.books.faults == []
        assert set(bench.cloud.books.records) == bench.outbox.standing(State.ACCEPTED)
        assert len(bench.cloud.books.records) == 30

    asyncio.run(run())


def test_proof_of_life_while_there_is_nothing_to_send() -> None:
    async def run() -> None:
        bench = Bench()
        bench.clock.jump(1000.0)
        async with bench.running():
            await bench.link.settled.wait()
            await asyncio.sleep(0)
            assert bench.link.alive_s == 1001.0

    asyncio.run(run())


def test_logs_hold_no_record_and_speak_once_for_each_state() -> None:
    with capture_logs() as logs:
        bench = Bench(lambda number: 503 if number < 5 else cloud.OK)
        bench.cloud.books.refuses = frozenset({"r2"})
        drain(bench, 3)
    assert [entry["event"] for entry in logs] == ["upload.waits", "upload.refused", "upload.recovered"]
    assert "r2" not in str(logs)
    assert "128" not in str(logs)


def test_what_goes_out_is_counted() -> None:
    bench = Bench(lambda number: 503 if number == 0 else cloud.OK)
    drain(bench, 3)
    counts = bench.uploader.counts
    assert counts.sent_bytes == sum(len(parcel.body) for parcel in bench.cloud.requests)
    assert counts.by_outcome() == {"again": 1, "settled": 1}
