"""Ranges: the part of a file that a request asks for.

Source: RFC 9110 §14, and §13.1.5 for `If-Range`.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request

from gateway.errors import HttpError

NOT_THERE = "The file has {:,} bytes: ask for a range within."
_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes from `start` on and before `end`, of a file with `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def requested_range(request: Request, size: int, etag: str) -> Range | None:
    """None for the whole file: also for several ranges, for what is no range, and if `If-Range`
    names another file. Raises HttpError for a range that is not within the file."""
    header = request.headers.get("range")
    if header is None or request.method != "GET":
        return None
    if request.headers.get("if-range", etag) != etag:
        return None
    found = _ONE_RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = (int(digits) if digits else None for digits in found.groups())
    if first is None:  # the last bytes
        start, end = max(size - (last or 0), 0), size
    else:
        start, end = first, size if last is None else min(last + 1, size)
        if last is not None and last < first:
            return None
    if start >= end:
        headers = {"content-range": f"bytes */{size}"}
        raise HttpError(NOT_THERE.format(size), 416, headers=headers)
    return Range(start, end, size)
