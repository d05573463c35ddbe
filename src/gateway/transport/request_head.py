"""Request head: what the headers of a small POST request say, if they are usual."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.errors import JSON
from gateway.middleware.compression import encoding_of
from gateway.protocols.short_path import RawHeaders
from gateway.request_record import acceptable_id
from gateway.trace_context import TraceContext, trace_context
from gateway.transport.admission import LARGE
from gateway.transport.negotiation import GRAPHQL_JSON, is_json, media_type_of_result

SINGLE = {  # headers that are read, and may be sent once
    *(b"accept", b"authorization", b"content-length", b"content-type", b"host", b"user-agent"),
    *(b"x-graphql-cost", b"x-request-id", b"x-forwarded-for", b"connection", b"origin"),
    *(b"accept-encoding", b"traceparent"),
}
ORDINARY = {  # headers whose requests take the ordinary way
    *(b"transfer-encoding", b"expect", b"upgrade", b"x-graphql-explain"),
}
CHANGING = {b"x-request-id", b"traceparent", b"tracestate"}  # in each request
SHOW_COST = b"x-graphql-cost"
LONGEST_NAME = 256  # characters of a media type whose meaning is kept


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a request says."""

    length: int
    media_type: str
    host: str
    authorization: str
    forwarded_for: str | None
    user_agent: str
    request_id: str | None
    trace: TraceContext | None
    origin: str | None
    encoding: str | None
    shows_cost: bool
    is_repeated: bool


def read_head(headers: RawHeaders) -> Head | None:
    """What a head says, if it is usual."""
    named = dict(headers)
    if not named.keys().isdisjoint(ORDINARY) or _is_repeated(headers, len(named)):
        return None
    length, media_type = named.get(b"content-length", b""), _media_type(_text(named, b"accept"))
    is_short = length.isdigit() and int(length) < LARGE
    if not is_short or media_type is None or not is_json(_text(named, b"content-type")):
        return None
    return Head(
        int(length),
        media_type,
        _text(named, b"host"),
        _text(named, b"authorization"),
        _text(named, b"x-forwarded-for") if b"x-forwarded-for" in named else None,
        _text(named, b"user-agent"),
        acceptable_id(_text(named, b"x-request-id")),
        trace_context(_text(named, b"traceparent")),
        _text(named, b"origin") if b"origin" in named else None,
        encoding_of(_text(named, b"accept-encoding")),
        shows_cost=named.get(SHOW_COST) == b"1",
        is_repeated=named.keys().isdisjoint(CHANGING),
    )


def _text(named: Mapping[bytes, bytes], name: bytes) -> str:
    return named.get(name, b"").decode("latin-1")


def _is_repeated(headers: RawHeaders, different: int) -> bool:
    """True if a header that is read was sent twice."""
    if len(headers) == different:
        return False
    names = [name for name, _ in headers]
    return any(names.count(name) > 1 for name in SINGLE)


def _media_type(accept: str) -> str | None:
    """The media type of the response, if it is no stream."""
    if len(accept) > LONGEST_NAME:
        return None
    return _known_media_type(accept)


@lru_cache(maxsize=200)
def _known_media_type(accept: str) -> str | None:
    media_type = media_type_of_result(accept, with_pages=False)
    return media_type if media_type in (JSON, GRAPHQL_JSON) else None
