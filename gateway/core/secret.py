"""Secrets by reference: read when needed, never kept in options, logs or errors."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import NotThere

# Where systemd lays the running service's credentials: root's `doctor` looks at the same ones.
_OF_THE_SERVICE = "/run/credentials/vitals-gateway.service"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """
    `credential:NAME` (systemd LoadCredential) or `file:PATH`.

    Reading it each time lets an operator rotate a token without a restart.
    """

    kind: str
    name: str

    @property
    def path(self) -> Path:
        """Where it is read from; raises NotThere where systemd passed no credentials."""
        if self.kind == "file":
            return Path(self.name)
        folder = os.environ.get("CREDENTIALS_DIRECTORY") or _OF_THE_SERVICE
        if not Path(folder).is_dir():
            raise NotThere(
                f"The credential {self.name} is passed by systemd, and this process was not started by it; "
                "start the service, or name a file with file:PATH."
            )
        return Path(folder, self.name)

    def read(self) -> str:
        """The secret without its final line break; raises NotThere with what to do."""
        path = self.path
        try:
            text = path.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise NotThere(
                f"The secret {self.kind}:{self.name} cannot be read; check that the file is there."
            ) from error
        if not text:
            raise NotThere(f"The secret {self.kind}:{self.name} is empty.")
        return text

    def open_to_others(self) -> bool:
        """Whether people other than the owner and its group may read the file."""
        try:
            return bool(self.path.stat().st_mode & stat.S_IROTH)
        except (OSError, NotThere):
            return False
