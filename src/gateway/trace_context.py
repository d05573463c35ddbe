"""Trace context: the trace that a request is part of, as its client says.

Source: W3C Trace Context, §3.2.
"""

import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
LONGEST = 256  # characters; those of later versions may be longer than the 55 of version 00
SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace, the span of the client in it, and whether the client records it."""

    trace_id: str
    span_id: str
    is_sampled: bool


def trace_context(traceparent: str) -> TraceContext | None:
    """None without a header, or for one that is not valid."""
    found = _TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= LONGEST else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    is_invalid = version == "ff" or (version == "00" and more is not None)
    if is_invalid or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & SAMPLED))
