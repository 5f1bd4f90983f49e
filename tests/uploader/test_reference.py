"""The uploader, the real store and the reference backend in its own process: the two ends of one contract."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.core.batch import State
from gateway.core.link import LinkState
from gateway.core.reading import Draft
from gateway.core.secret import SecretRef
from tests.buffer.make import HUB, opened
from tests.fakes.clock import START_MS, FakeClock
from tests.uploader.receiver.conftest import Live
from tests.uploader.test_fhir import reading
from uploader.client import Client
from uploader.counts import UploadCounts
from uploader.loop import Uploader
from uploader.options import BearerAuth, UploadOptions

PATH = "/api/v1/readings/batches/"
SEED = bytes(range(32))
COUNT = 60


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, UploadOptions]]:
    """A backend that asks for a token and the hub's signature, and the options of a hub that has both."""
    folder = tmp_path_factory.mktemp("strict")
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
    (folder / "hub.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "sign.key").write_text(SEED.hex())
    (folder / "token").write_text("s3cret\n")
    token = SecretRef("file", str(folder / "token"))
    backend = Live(
        folder / "receiver.db", "--token", f"file:{folder / 'token'}", "--hub-key", f"hub-7={folder / 'hub.pub'}"
    )
    url = backend.start().rstrip("/") + PATH
    sign_key = SecretRef("file", str(folder / "sign.key"))
    yield backend, UploadOptions(url, batch_max=25, batch_wait_s=0.0, auth=BearerAuth(token), sign_key=sign_key)
    backend.kill()


def drafts(run: str) -> list[Draft]:
    body = {key: value for key, value in reading().items() if key not in ("record_id", "type", "seq", "prev", "hash")}
    names = (sha256(f"{run}{number}".encode()).hexdigest() for number in range(COUNT))
    return [Draft(name, "reading", body, START_MS) for name in names]


async def upload(folder: Path, options: UploadOptions, run: str) -> tuple[UploadCounts, LinkState, dict[State, int]]:
    """Send `COUNT` new records until each is settled or the loop holds."""
    clock, link = FakeClock(jumps=True), LinkState("upload", "upload")
    async with opened(folder) as store, Client(options, "hub-7", clock) as client:
        await store.append(drafts(run))
        up = Uploader(store, client, options, clock, lambda: 0.5, link, HUB)
        task = asyncio.create_task(up.run())
        async with asyncio.timeout(60):
            while (await store.stats()).oldest_unsent_ms is not None and not link.needs_person:  # noqa: ASYNC110 -- the store tells no one
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return up.counts, link, (await store.stats()).records


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_signed_batches_are_accepted(strict: tuple[Live, UploadOptions], tmp_path: Path, compress: str) -> None:
    _, options = strict
    counts, link, records = asyncio.run(upload(tmp_path, replace(options, compress=compress), compress))
    assert (link.is_up, link.why) == (True, None)
    assert records[State.ACCEPTED] == COUNT
    assert set(counts.by_outcome()) == {"settled"}


def test_without_a_signature_the_hub_holds(strict: tuple[Live, UploadOptions], tmp_path: Path) -> None:
    _, options = strict
    counts, link, records = asyncio.run(upload(tmp_path, replace(options, sign_key=None), "unsigned"))
    assert link.needs_person
    assert set(counts.by_outcome()) == {"hold"}
    assert records[State.ACCEPTED] == records[State.REFUSED] == 0
