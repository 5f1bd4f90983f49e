"""The filters a broker's session may hold, in a small file beside the store (see FilterMemory)."""

import json
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import StoreFull


@dataclass(frozen=True, slots=True)
class FilterFile:
    """
    A JSON list, replaced whole.

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
        fresh = self.path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(sorted(filters)), "utf-8")
            fresh.replace(self.path)
        except OSError as error:
            raise StoreFull(
                "The list of MQTT filters cannot be written beside the store; free space, or check its folder's rights."
            ) from error
