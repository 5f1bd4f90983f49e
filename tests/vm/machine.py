"""
A virtual machine whose power can be cut: QEMU in software emulation, Debian's kernel, the store under load.

`make test-vm` builds its image (`tests/vm/build-image`) and names the folder in VM_IMAGE. VM_ACCEL=kvm makes it faster
where that works.
"""

import compileall
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.vm.disk import run

_ROOT = Path(__file__).resolve().parents[2]
_CODE = ("buffer", "config", "drivers", "gateway", "tests", "uploader")
_LOG_BYTES = 8 * 1024**3  # sparse
_KERNEL = (
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check audit=0 cryptomgr.notests random.trust_cpu=on"
)


def make_code_disk(path: Path, *more: Path) -> None:
    """The project as it is now, so that the image need not be built again with every change; and a test's own files."""
    folder = path.with_suffix("")
    for name in _CODE:
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in more:
        shutil.copy2(file, folder / file.name)
    compileall.compile_dir(folder, quiet=1)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", str(folder), str(path), "64M")


class Machine:
    """One run, from the power button to the cut."""

    def __init__(self, running: "subprocess.Popen[str]") -> None:
        self._running = running
        self._said: list[str] = []

    def wait_for(self, word: str) -> None:
        """Until the machine says this word on its console."""
        assert self._running.stdout is not None
        for line in self._running.stdout:
            self._said.append(line)
            if line.strip() == word:
                return
        raise AssertionError(f"The machine never said {word!r}:\n{''.join(self._said)}")

    def run_for(self, seconds: float) -> None:
        """Let it run; it must not stop by itself."""
        try:
            self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        assert self._running.stdout is not None
        raise AssertionError(f"The machine stopped by itself:\n{''.join(self._said)}{self._running.stdout.read()}")

    def cut(self) -> None:
        """Take its power: QEMU is killed, and what the machine held in memory is gone."""
        self._running.kill()
        self._running.wait()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a machine is made of: the image's folder, the code, the disk it writes to and the log of those writes."""

    image: Path
    code: Path
    disk: Path
    log: Path


@contextmanager
def started(parts: Parts, command: str, **words: str) -> Iterator[Machine]:
    """The machine, booting; its Python runs the module and arguments of `command`, with `words` in its environment."""
    parts.log.write_bytes(b"")
    os.truncate(parts.log, _LOG_BYTES)
    # The kernel kills QEMU with us: no machine outlives a test run that was killed.
    line = ["setpriv", "--pdeathsig", "KILL", *_qemu(parts, {"VM_COMMAND": command, **words})]
    with subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as running:
        try:
            yield Machine(running)
        finally:
            running.kill()


def _qemu(parts: Parts, words: Mapping[str, str]) -> list[str]:
    # fmt: off
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-M", "q35", "-m", "512", "-smp", "2", *_accelerator(),
        "-kernel", f"{parts.image}/vmlinuz", "-initrd", f"{parts.image}/initrd.gz",
        "-append", " ".join([_KERNEL, *(f'{name}="{value}"' for name, value in words.items())]),
        "-serial", "stdio", "-nic", "user,model=virtio-net-pci",
        *_read_only(parts.image / "root.ext4", "system"), *_read_only(parts.code, "code"),
        # The host's own power is not what is tested: it need not flush.
        "-blockdev", f"driver=file,node-name=kept,filename={parts.disk},cache.no-flush=on",
        "-blockdev", f"driver=file,node-name=noted,filename={parts.log},cache.no-flush=on",
        "-blockdev", "driver=blklogwrites,node-name=disk,file=kept,log=noted",
        "-device", "virtio-blk-pci,drive=disk,write-cache=on",
    ]
    # fmt: on


def _read_only(path: Path, node: str) -> list[str]:
    return [
        *("-blockdev", f"driver=file,node-name={node},filename={path},read-only=on"),
        *("-device", f"virtio-blk-pci,drive={node}"),
    ]


def _accelerator() -> list[str]:
    accelerator = os.environ.get("VM_ACCEL", "tcg")
    return ["-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else "max"]
