"""Qualities: the preferences of a client in headers such as Accept (RFC 9110 §12.4.2)."""

from collections.abc import Iterator


def qualities(header: str) -> dict[str, float]:
    """The quality of each name in a header, in lower case; 1 if none is given."""
    return dict(_qualities(header))


def _qualities(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        found = [piece[2:] for piece in parameters if piece.startswith("q=")]
        yield name, _quality(found[0]) if found else 1.0


def _quality(text: str) -> float:
    try:
        return max(0.0, float(text))  # in this order: NaN becomes 0
    except ValueError:
        return 0.0
