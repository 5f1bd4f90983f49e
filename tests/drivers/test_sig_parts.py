"""Clock, record access, users and identity of the SIG services, on frames of others."""

from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.checks import crc8, crc8_maxim, hold, sum7, sum8, xor8
from drivers.fields import UNSTAMPED
from drivers.sig import clock, identity, records, users
from gateway.core.errors import BadChecksum, DecodeError, Truncated, UnknownLayout

TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda t: t.replace(microsecond=0))  # noqa: DTZ001 -- a device's clock has no zone
READERS = (
    clock.read_current,
    clock.read_date,
    records.read_answer,
    users.read_answer,
    identity.read_udi,
    identity.read_pnp,
    identity.read_battery,
)


@given(payload=st.binary(max_size=24), read=st.sampled_from(READERS))
def test_any_bytes_are_read_or_refused(payload: bytes, read: object) -> None:
    assert callable(read)
    with suppress(DecodeError):
        read(payload)


@given(time=TIMES)
def test_a_clock_written_reads_back(time: datetime) -> None:
    for stamp in (clock.read_date(clock.write_date(time)), clock.read_current(clock.write_current(time))):
        assert stamp.time is not None
        assert stamp.time.local == time


def test_the_current_time_has_its_fraction() -> None:
    # RonanB96/bluetooth-sig-python tests/gatt/characteristics/test_current_time.py@27bdb3dcbb3f
    stamp = clock.read_current(bytes.fromhex("e9070c1f173b3b07ff06"))
    assert stamp.time is not None
    assert stamp.time.text == "2025-12-31T23:59:59.996094"
    assert clock.read_current(bytes.fromhex("000000000c1e00010000")) == UNSTAMPED


def test_the_clock_is_written_as_a_makers_app_writes_it() -> None:
    # Nipro Genki Note 2.19.0.0 writes this to 0x2A08; 0x2A2B adds the day of the week (a Thursday) and two zeros
    time = datetime(2026, 7, 16, 14, 30, 5)  # noqa: DTZ001 -- a device's clock has no zone
    assert clock.write_date(time).hex() == "ea0707100e1e05"
    assert clock.write_current(time).hex() == "ea0707100e1e05040000"


@pytest.mark.parametrize(
    ("payload", "answer"),
    # NordicSemiconductor/Android-BLE-Common-Library RecordAccessControlPointDataCallbackTest.java@c078e2579fe5
    [
        ("06000101", records.Answer(1, "success")),
        ("06000204", records.Answer(2, "operator_not_supported")),
        ("06000105", records.Answer(1, "operand_invalid")),
        ("06000307", records.Answer(3, "abort_failed")),
        ("06000208", records.Answer(2, "not_completed")),
        ("06000209", records.Answer(2, "operand_not_supported")),
        ("06000106", records.Answer(1, "no_records_found")),
        ("060001ee", records.Answer(1, "reserved")),
        ("05000201", records.Answer(None, "success", 258)),
        # StanfordSpezi/SpeziDevices SpeziOmronTests.swift@f6d0b16fc1e0
        ("0500ffff", records.Answer(None, "success", 65535)),
        ("050000010000", records.Answer(None, "success", 256)),
    ],
)
def test_a_record_answer_is_read(payload: str, answer: records.Answer) -> None:
    assert records.read_answer(bytes.fromhex(payload)) == answer
    assert answer.is_good == (answer.word in {"success", "no_records_found"})


def test_a_count_of_one_byte_is_truncated_and_a_command_is_no_answer() -> None:
    with pytest.raises(Truncated):
        records.read_answer(bytes.fromhex("050001"))
    with pytest.raises(UnknownLayout):
        records.read_answer(records.REPORT_ALL)


def test_record_commands_are_those_of_the_meters_papers() -> None:
    # LiamsGitHub/GlucometerBluetoothToHealthKit README.md@1debd35199f4; Beurer GL50evo Data Form
    assert records.REPORT_ALL.hex() == "0101"
    assert records.REPORT_LAST.hex() == "0106"
    assert records.COUNT_ALL.hex() == "0401"
    assert records.ABORT.hex() == "0300"
    assert records.report_from(45).hex() == "0103012d00"
    assert records.count_from(45).hex() == "0403012d00"


def test_user_commands_and_answers() -> None:
    # Nipro NBCM register; Omron's consent code; im97mori-github/JavaBLEUtil UserControlPointTest.java@1cb79300eab0
    assert users.register(users.NBCM_CODE).hex() == "01e207"
    assert users.consent(1, users.OMRON_CODE).hex() == "02010e02"
    assert users.consent(0x31, 0x3332).hex() == "02313233"
    assert users.read_answer(bytes.fromhex("20010131")) == users.Answer(1, "success", 49)
    assert users.read_answer(bytes.fromhex("200201")) == users.Answer(2, "success")
    assert users.read_answer(bytes.fromhex("200205")) == users.Answer(2, "not_authorised")
    assert users.read_answer(bytes.fromhex("2002ee")) == users.Answer(2, "reserved")
    with pytest.raises(UnknownLayout):
        users.read_answer(bytes.fromhex("01e207"))


def test_nothing_here_can_erase() -> None:
    made = [records.REPORT_ALL, records.REPORT_LAST, records.COUNT_ALL, records.ABORT]
    made += [records.report_from(1), records.count_from(1)]
    assert all(command[0] != 0x02 for command in made)
    assert {users.register(1)[0], users.consent(1, 1)[0]} == {0x01, 0x02}


def test_a_udi_is_read_part_by_part() -> None:
    # RonanB96/bluetooth-sig-python test_udi_for_medical_devices.py@27bdb3dcbb3f
    assert identity.read_udi(bytes.fromhex("0141424300")) == identity.Udi("ABC", None, None, None)
    whole = bytes.fromhex("0f4c424c00444900495353004155544800")
    assert identity.read_udi(whole) == identity.Udi("LBL", "DI", "ISS", "AUTH")
    with pytest.raises(Truncated):
        identity.read_udi(whole[:-1])


def test_what_a_device_says_of_itself() -> None:
    # RonanB96/bluetooth-sig-python test_pnp_id.py; userx14/omblepy issue 58; Nordic BatteryLevelParserTest.kt
    assert identity.read_pnp(bytes.fromhex("02ac0520020100")) == identity.PnpId(2, 0x05AC, 0x0220, 1)
    assert identity.text(bytes.fromhex("4f4d524f4e4845414c544843415245")) == "OMRONHEALTHCARE"
    assert identity.text(b"UA-651BLE\0\0") == "UA-651BLE"
    assert identity.text(b"   \0") is None
    assert identity.read_battery(b"\x4b") == 75
    assert identity.read_battery(b"\xff") is None


def test_check_bytes() -> None:
    # the catalogue of CRC algorithms gives both CRCs of these nine digits
    assert (crc8(b"123456789"), crc8_maxim(b"123456789")) == (0xF4, 0xA1)
    assert (sum8(b"\xff\x02"), sum7(b"\xff\x02"), xor8(b"\xff\x02")) == (0x01, 0x01, 0xFD)
    hold(1, 1)
    with pytest.raises(BadChecksum):
        hold(1, 2)
