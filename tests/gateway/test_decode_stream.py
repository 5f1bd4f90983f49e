"""`decode` beside a program that never ends: each frame is answered when it comes."""

import subprocess
import sys

from tests.law.source import ROOT

_DECODE = [sys.executable, "-m", "gateway", "decode", "--driver", "ble-weight-scale", "-"]


def test_a_frame_is_answered_before_the_input_ends() -> None:
    with subprocess.Popen(_DECODE, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"00b036\n")
        assert b"70.000" in running.stdout.readline()
        running.stdin.write(b"00\r\n")
        assert b"Truncated" in running.stdout.readline()
        running.stdin.close()
        assert running.wait(30) == 65


def test_no_frames_are_no_refusal() -> None:
    done = subprocess.run(_DECODE, cwd=ROOT, input=b"", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
