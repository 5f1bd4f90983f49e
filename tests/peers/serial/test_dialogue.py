"""What is said to devices that answer only when asked: little, in order, and nothing that changes anything there."""

import pytest

from drivers.contract import Link
from drivers.registry import find, named
from drivers.transports.serial_dialogue import AGAIN_S, ANSWER_S, LOOK_S, Dialogue

# Everything a driver may have sent, written out a second time.
ALLOWED = {
    ("serial-onetouch-ultra2", "dump"): {b"\x11\rDM@\r", b"\x11\rDMF\r", b"\x11\rDMP\r"},
    ("serial-freestyle-optium", "log"): {b"$colq\r\n", b"$xmem\r\n"},
    ("serial-contec", "v7"): {bytes.fromhex("7d81a1808080808080"), bytes.fromhex("7d81af808080808080")},
}
# What erases, sets a clock or releases a record: the sources in each driver's data sheet.
DESTRUCTIVE = [b"DMZ", b"DMT", b"$tim", b"PWA1", b"\x51\x52", b"\x51\x33", b"\x81\xae", b"\x81\xb1", b"\x81\xb2"]
SERIAL = [driver for driver in find().values() if driver.link is Link.SERIAL]


def said(
    source: str, driver: str, frames_at: list[int], until_s: float, *, has_clock: bool = True
) -> list[tuple[float, bytes]]:
    """What a dialogue says; a frame comes after each saying whose place is in `frames_at`."""
    dialogue, now, frames, quiet_s = Dialogue(named(driver).lines[source]), 0.0, 0, 100.0
    sayings: list[tuple[float, bytes]] = []
    while now < until_s:
        words, wait_s = dialogue.turn(now, quiet_s, frames, has_clock=has_clock)
        if words:
            frames += len(sayings) in frames_at
            sayings.append((now, words))
        now, quiet_s = now + wait_s, quiet_s + wait_s
    return sayings


def test_nothing_is_ever_said_but_what_is_allowed() -> None:
    for driver in SERIAL:
        for source, line in driver.lines.items():
            assert {*line.asks, line.alive} - {b""} == ALLOWED.get((driver.name, source), set())


@pytest.mark.parametrize("command", DESTRUCTIVE)
def test_nothing_destructive_is_among_it(command: bytes) -> None:
    assert not any(command in words for allowed in ALLOWED.values() for words in allowed)


def test_a_meter_that_is_not_there_is_looked_for() -> None:
    asks = said("dump", "serial-onetouch-ultra2", [], 100)
    assert {words for _, words in asks} == {b"\x11\rDM@\r"}
    assert asks[1][0] - asks[0][0] == LOOK_S + ANSWER_S


def test_a_meter_that_answers_is_read_once_and_then_only_looked_for() -> None:
    asks = said("dump", "serial-onetouch-ultra2", list(range(1000)), AGAIN_S)
    texts = [words for _, words in asks]
    assert texts[:3] == [b"\x11\rDM@\r", b"\x11\rDMF\r", b"\x11\rDMP\r"]
    assert set(texts[3:]) == {b"\x11\rDM@\r"}


def test_after_ten_minutes_its_memory_is_read_again() -> None:
    asks = said("dump", "serial-onetouch-ultra2", list(range(1000)), 2 * AGAIN_S + 100)
    assert [words for _, words in asks].count(b"\x11\rDMP\r") == 3


def test_taken_away_and_brought_back_it_is_read_at_once() -> None:
    asks = said("dump", "serial-onetouch-ultra2", [0, 1, 2, 6, 7, 8], 200)
    assert [words for _, words in asks].count(b"\x11\rDMP\r") == 2


def test_a_memory_is_not_read_before_the_clock() -> None:
    asks = said("dump", "serial-onetouch-ultra2", list(range(1000)), 300, has_clock=False)
    assert b"\x11\rDMP\r" not in [words for _, words in asks]


def test_an_answer_that_still_comes_is_not_interrupted() -> None:
    dialogue = Dialogue(named("serial-onetouch-ultra2").lines["dump"])
    assert dialogue.turn(0, 100, 0, has_clock=False)[0] == b"\x11\rDM@\r"
    assert dialogue.turn(3, 0.5, 0, has_clock=False) == (b"", ANSWER_S - 0.5)
    assert dialogue.turn(6, 3.0, 1, has_clock=False)[0] == b"\x11\rDMF\r"


def test_what_streams_is_begun_and_kept_awake() -> None:
    dialogue = Dialogue(named("serial-contec").lines["v7"])
    begin, alive = bytes.fromhex("7d81a1808080808080"), bytes.fromhex("7d81af808080808080")
    frames_by_turn = [0, 300, 600, 600, 600, 900]
    sayings = [dialogue.turn(n * 5, 0.01, frames, has_clock=False)[0] for n, frames in enumerate(frames_by_turn)]
    assert sayings == [begin, alive, alive, begin, begin, alive]
