"""The filters a broker's session may hold, in a small file beside the store (see FilterMemory)."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import StoreFull


@dataclass(frozen=True, slots=True)
class FilterFile:
    """
    A JSON list, replaced whole: a power cut leaves the old one or the new one.

    A file that is lost or unreadable counts as empty: then filters taken out of the configuration keep delivering, and
    what they deliver is kept aside as unrouted, which `status` shows.
    """

    path: Path

    def load(self) -> frozenset[str]:
        """The filters last saved."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return frozenset()
        return frozenset(text for text in found if isinstance(text, str)) if isinstance(found, list) else frozenset()

    def save(self, filters: frozenset[str]) -> None:
        """Replace the file; raises StoreFull where it cannot be written."""
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(sorted(filters), file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            raise StoreFull(
                "The list of MQTT filters cannot be written beside the store; free space, or check its folder's rights."
            ) from error
