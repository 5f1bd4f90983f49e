"""Logs hold no secret and no value, whoever logs them."""

import json
import subprocess
import sys

PLANTED = ["s3cret-token", "AB:CD:EF:12:34:01", "Jane Doe", "128 mm[Hg]", "7b2273797374"]
SCRIPT = """
import logging, sys
import structlog
from gateway import logs
logs.set_up()
log = structlog.get_logger()
for word in {planted!r}:
    log.info("reading.kept", value=word, token=word, frame=word, patient=word, driver="stel")
    log.error("upload.failed", reason=ValueError(word), error=RuntimeError(word))
    logging.getLogger("paho").warning("PUBLISH %s", word)
    logging.getLogger("httpx").error(word, exc_info=ValueError(word))
"""


def test_planted_secrets_and_values_never_reach_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(planted=PLANTED)], capture_output=True, text=True, check=True
    )
    for word in PLANTED:
        assert word not in done.stderr + done.stdout
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(lines) == 4 * len(PLANTED)
    assert {line["event"] for line in lines} == {"reading.kept", "upload.failed", "library.said"}
    assert {line["driver"] for line in lines if "driver" in line} == {"stel"}


def test_what_the_store_says_keeps_its_name() -> None:
    script = """
import logging
from gateway import logs
logs.set_up()
logging.getLogger("buffer.store").warning("store.quarantined")
logging.getLogger("buffer.writer").error("store.broken", exc_info=ValueError("s3cret"))
logging.getLogger("buffer.store").warning("file %s", "s3cret")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["store.quarantined", "store.broken", "library.said"]
    assert "s3cret" not in done.stderr
