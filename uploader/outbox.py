"""What the uploader needs of the store. The store does not know this module; the wiring puts one into the other."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.core.batch import Batch, Outcome


class Waiting(Protocol):
    """What the uploader looks at in the store's numbers."""

    @property
    def oldest_unsent_ms(self) -> int | None:
        """When the oldest record not yet settled was received; None where none waits."""


class Outbox(Protocol):
    """
    Records on their way out.

    A batch is returned once in the life of a process, until it is settled or split: so one can be made ready while
    another is on its way.
    """

    @property
    def arrived(self) -> asyncio.Event:
        """Set whenever there may be something to send."""

    async def next_batch(self, hub: bytes, records_max: int, bytes_max: int, *, newest_first: bool) -> Batch | None:
        """The next batch, stored before it is returned: first those stored earlier, then waiting records."""

    async def settle(self, batch_id: str, outcomes: Sequence[Outcome]) -> object:
        """Store the backend's word; records without an outcome wait again."""

    async def split(self, batch_id: str) -> object:
        """Two stored batches, halves of the first."""

    async def send_again(self, ranges: Sequence[tuple[int, int]]) -> int:
        """Let accepted records of these ranges of seq wait again; how many there were."""

    async def stats(self) -> Waiting:
        """How long the oldest waits."""
