"""What the frames of a port say together: whose they are, the device's clock, what is kept. No port is needed."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers import registry
from drivers.contract import Link
from drivers.framing import Framer
from drivers.registry import find, named
from drivers.transports.serial_options import SerialOptions
from drivers.transports.serial_session import REFUSED_MAX, Session, Span
from gateway.core.reading import Arrival, Draft, Frame
from gateway.core.time import Instant
from gateway.intake import Intake, Place
from gateway.metrics import Counts
from tests.drivers import vectors
from tests.fakes.clock import FakeClock
from tests.peers.serial.desk import DEVICE, options, weight

PORT = Path("/dev/serial/by-id/usb-x")
ZONE = ZoneInfo("America/New_York")


class Line:
    """A session at a port, fed with frames."""

    def __init__(self, driver: str, **changed: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.clock = FakeClock()
        self.options: SerialOptions = options(PORT, driver, **changed)
        self.session = Session(self.options, named(driver), self._count)

    def _count(self, what: str, amount: int) -> None:
        self.counts[what] += amount

    def frame(self, payload: bytes, *, began: Instant | None = None, in_step: bool = True) -> Arrival | None:
        """One frame, now."""
        now = self.clock.now()
        arrival, _ = self.session.arrival(payload, Span(began or now, began or now, now), in_step=in_step)
        return arrival


def checked(text: str) -> bytes:
    """A line of an Ultra2, with its check."""
    return f"{text} {sum(text.encode()) & 0xFFFF:04X}\r\n".encode()


HEAD = checked('P 001,"GCF60CDCY","MG/DL "')
CLOCK = checked('F "SAT","11/21/26","08:55:00   "')
RECORD = checked('P "SAT","11/21/26","07:25:00   ","  118 ","B","00", 00')


def drafts(arrivals: Sequence[Arrival | None]) -> list[Draft]:
    """What the intake makes of them."""
    kept: list[Draft] = []

    async def append(more: Sequence[Draft]) -> list[bool]:
        kept.extend(more)
        return [True] * len(more)

    def nobody(*_: object) -> dict[str, Any]:
        return {"patient": None}

    intake = Intake(append, registry.named, nobody, Place("home", ZONE), Counts())
    asyncio.run(intake.keep([arrival for arrival in arrivals if arrival is not None]))
    return kept


def test_a_meter_named_at_the_head_names_what_follows() -> None:
    line = Line("serial-onetouch-ultra2", device=None)
    assert line.frame(HEAD) is None
    arrival = line.frame(RECORD)
    assert arrival is not None
    assert arrival.device is not None
    assert arrival.device.id == "onetouch:GCF60CDCY"


def test_the_clock_read_in_the_session_places_its_stored_values() -> None:
    """At 14:00:03.120 UTC, which is 09:00:03 in New York, the meter showed 08:55:00: it is 303.1 s behind."""
    line = Line("serial-onetouch-ultra2", device=None)
    (draft,) = drafts([line.frame(HEAD), line.frame(CLOCK), line.frame(RECORD)])
    time = draft.body["time"]
    assert (time["quality"], time["offset_s"]) == ("mapped", "303.1")
    assert time["pair"] == {"device_now": "2026-11-21T08:55:00", "hub_now": "2026-11-21T14:00:03.120Z"}
    assert draft.body["measured_at"] == "2026-11-21T07:30:03.120-05:00"


def test_without_a_clock_a_stored_value_is_not_trusted() -> None:
    line = Line("serial-onetouch-ultra2", device=None)
    (draft,) = drafts([line.frame(HEAD), line.frame(RECORD)])
    assert draft.body["time"]["quality"] == "untrusted"
    assert "pair" not in draft.body["time"]
    assert draft.body["measured_at"] is None


def test_name_and_clock_end_with_the_session() -> None:
    line = Line("serial-onetouch-ultra2", device=None)
    line.frame(HEAD)
    line.frame(CLOCK)
    line.session.end()
    (draft,) = drafts([line.frame(RECORD)])
    assert draft.body["name"] == "frame.refused"
    assert line.session.complaint is not None


def test_a_long_answer_pairs_its_clock_with_its_beginning() -> None:
    """The FreeStyle's clock stands at the head of an answer that takes eight seconds."""
    (row,) = (row for row in vectors.load("serial-freestyle-optium") if row.id == "fslog-dump")
    line = Line("serial-freestyle-optium", device=None)
    began = line.clock.now()
    line.clock.jump(8)
    arrival = line.frame(row.as_frame(named("serial-freestyle-optium")).payload, began=began)
    assert arrival is not None
    assert arrival.clock_pair is not None
    assert arrival.clock_pair.hub_now == began
    assert arrival.only is not None
    assert 0 not in arrival.only  # the clock alone is no record


def test_a_live_line_with_a_clock_is_placed_by_it() -> None:
    (row,) = (row for row in vectors.load("serial-masimo") if row.id == "masimo-rad8-02")
    line = Line("serial-masimo", device=None)
    (draft,) = drafts([line.frame(row.as_frame(named("serial-masimo")).payload)])
    assert draft.body["time"]["pair"]["device_now"] == draft.body["time"]["device_time"]


def test_the_devices_own_word_goes_before_the_configured_one() -> None:
    (row,) = (row for row in vectors.load("serial-masimo") if row.id == "masimo-rad8-02")
    line = Line("serial-masimo", device=DEVICE)
    (draft,) = drafts([line.frame(row.as_frame(named("serial-masimo")).payload)])
    assert draft.body["device"]["id"] == "masimo:0000056661"


@pytest.mark.parametrize("driver", [d.name for d in find().values() if d.link is Link.SERIAL])
def test_a_source_says_aright_whether_it_names_its_device(driver: str) -> None:
    found = named(driver)
    for source, line in found.lines.items():
        samples = [
            sample
            for row in vectors.load(driver)
            if row.format in (source, None) and not row.raises
            for sample in found.decode(Frame(row.as_frame(found).payload, source))
        ]
        names = any(sample.device for sample in samples)
        # the older Contour has the newer one's header, of which no vector of its own is public
        assert names == line.names or (driver, source) == ("serial-contour", "serial")


def test_a_pulse_of_sixty_a_second_becomes_one_reading_a_minute() -> None:
    line = Line("serial-contec", source="v7")
    live = bytes.fromhex("01e085b396c1e1ffff")
    kept = []
    for _ in range(60 * 180):
        kept.append(line.frame(live))
        line.clock.jump(1 / 60)
    assert sum(arrival is not None for arrival in kept) == 3
    assert line.counts["thinned"] == 60 * 180 - 3


def test_a_stream_out_of_step_is_not_read() -> None:
    line = Line("serial-contec", source="v7")
    assert line.frame(bytes.fromhex("01e085b396c1e1ffff"), in_step=False) is None
    assert line.frame(bytes.fromhex("01e085b396c1e1ffff")) is not None


def test_of_a_block_of_lines_the_chosen_one_is_kept_with_the_whole_block() -> None:
    (row,) = (row for row in vectors.load("serial-nellcor") if row.id == "nellcor-live-block")
    first = row.as_frame(named("serial-nellcor")).payload
    payload = first + b"".join(first[first.rindex(b"12-NOV") :].replace(b":05", b":%02d" % s) for s in range(7, 55, 2))
    line = Line("serial-nellcor")
    arrival = line.frame(payload)
    assert arrival is not None
    assert arrival.frame.payload == payload
    made = drafts([arrival])
    whole = drafts([replace(arrival, only=None)])
    assert (len(made), len(whole)) == (1, 25)
    assert {draft.record_id for draft in made} < {draft.record_id for draft in whole}


def test_refused_frames_are_kept_rarely_and_counted() -> None:
    line = Line("serial-tanita")
    bad = b"Wg,12a\r\n"
    kept = [line.frame(bad) for _ in range(100)]
    assert sum(arrival is not None for arrival in kept) == REFUSED_MAX
    assert line.counts["refused"] == 100 - REFUSED_MAX
    line.clock.jump(60)
    assert line.frame(bad) is not None
    assert line.frame(weight(3972)) is not None


def test_an_hour_of_noise_at_full_speed_neither_grows_nor_fills_the_store() -> None:
    """115,200 baud for an hour are 41 MB; every driver meets its share of noise, text, and frames with flipped bits."""
    dice = random.Random(5)
    pool = dice.randbytes(65_536) + bytes(dice.choices(b'P {}FRW"0123456789,\r\n\x02\x1b', k=65_536))
    for driver in (d for d in find().values() if d.link is Link.SERIAL):
        for source in driver.sources:
            line = Line(driver.name, source=source, device=DEVICE)
            framer = Framer(driver.lines[source].framing)
            kept = 0
            for _ in range(60):
                line.clock.jump(60)
                at = dice.randrange(len(pool) - 4096)
                for frame in framer.feed(pool[at : at + 4096]):
                    kept += line.frame(frame) is not None
            assert framer.held < driver.lines[source].framing.longest
            assert len(line.session._refused) <= REFUSED_MAX
            # a minute of noise leaves three refused frames, a reading and a status; formats without any check make
            # readings of noise, which no reader can know
            is_unchecked = source in ("df8", "v5", "bp", "v7")
            assert kept <= 60 * (REFUSED_MAX + 2) or is_unchecked
