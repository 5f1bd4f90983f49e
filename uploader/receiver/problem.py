"""Errors as a client sees them: RFC 9457 problem details, one plain sentence each."""

import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """A request that cannot be served: the HTTP status, and what happened and what to do next."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        kind: str = "about:blank",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.title = title
        self.kind = kind

    @property
    def body(self) -> bytes:
        """The problem document."""
        document = {"type": self.kind, "title": self.title, "status": self.status_code, "detail": self.detail}
        return json.dumps(document).encode()


def bad_request(detail: str) -> Problem:
    """400: the request itself is not what the contract says."""
    return Problem(400, "Bad request", detail)


def too_large(detail: str) -> Problem:
    """413: above a limit; the same in smaller pieces is welcome."""
    return Problem(413, "Too large", detail)


def unprocessable(detail: str) -> Problem:
    """422: well-formed, and not a batch that can be taken."""
    return Problem(422, "Cannot be taken", detail)


def not_found(detail: str) -> Problem:
    """404."""
    return Problem(404, "Not found", detail)
