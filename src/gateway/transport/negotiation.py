"""Negotiation: the media type of a response, from the header Accept (RFC 9110 §12.5.1)."""

from gateway.errors import JSON
from gateway.qualities import qualities
from gateway.transport.formats import STREAM_FORMATS, StreamFormat

GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"

Offer = tuple[tuple[str, ...], ...]


def media_type_of_result(accept: str, with_pages: bool) -> str | None:
    """The media type of the result of a query or mutation, or HTML if `with_pages`; None if none
    is acceptable.

    Clients that can read streams list them beside JSON with every query and read either, so a
    stream is chosen only if its quality is higher.
    """
    pages = (HTML,) if with_pages else ()
    return preferred(accept, ((JSON, GRAPHQL_JSON, *pages), tuple(STREAM_FORMATS)))


def is_json(content_type: str) -> bool:
    """True if a header Content-Type means JSON in UTF-8."""
    media_type, *details = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = [detail[8:].strip('"') for detail in details if detail.startswith("charset=")]
    return media_type == JSON and charsets in ([], ["utf-8"], ["utf8"])


def stream_format(accept: str) -> StreamFormat | None:
    media_type = preferred(accept, tuple((each,) for each in STREAM_FORMATS))
    return STREAM_FORMATS[media_type] if media_type else None


def preferred(accept: str, offered: Offer) -> str | None:
    """The offered type with the highest quality; None if none is acceptable.

    Among types of equal quality, a named type precedes one that a wildcard covers, then an earlier
    group precedes a later one. Within a group the last type wins if it is named, else the first.
    """
    given = qualities(accept or "*/*")
    ranks = [{name: _rank(name, given) for name in group} for group in offered]
    best = max(rank for group in ranks for rank in group.values())
    if best[0] <= 0:
        return None
    tied = next(names for group in ranks if (names := [n for n in group if group[n] == best]))
    return tied[-1 if best[1] == _NAMED else 0]


_NAMED = 2


def _rank(media_type: str, given: dict[str, float]) -> tuple[float, int]:
    ranges = ("*/*", media_type.split("/")[0] + "/*", media_type)
    named = [closeness for closeness, name in enumerate(ranges) if name in given]
    return (given[ranges[named[-1]]], named[-1]) if named else (0.0, 0)
