"""Negotiation: in which form to answer, by what the caller accepts (RFC 9110 §12.5.1)."""

from collections.abc import Iterator

GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"


def preferred(accept: str, offered: tuple[str, ...]) -> str | None:
    """The most wanted of the types offered, None when none is acceptable.

    Among equally wanted ones a type that is named goes before one that a wildcard covers; then the
    newer of the two JSON types goes first when it is named, the older one when it is not.
    """
    wishes = dict(_wishes(accept or "*/*"))
    ranks = {media_type: _rank(media_type, wishes) for media_type in offered}
    best = max(ranks.values())
    if best[0] <= 0:
        return None
    tied = [media_type for media_type in offered if ranks[media_type] == best]
    return tied[-1 if best[1] == _NAMED else 0]


_NAMED = 2


def _rank(media_type: str, wishes: dict[str, float]) -> tuple[float, int]:
    """How much a type is wanted, and how closely it is named."""
    ranges = ("*/*", media_type.split("/")[0] + "/*", media_type)
    named = [closeness for closeness, name in enumerate(ranges) if name in wishes]
    return (wishes[ranges[named[-1]]], named[-1]) if named else (0.0, 0)


def _wishes(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        qualities = [piece[2:] for piece in parameters if piece.startswith("q=")]
        yield media_type, _quality(qualities[0]) if qualities else 1.0


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
