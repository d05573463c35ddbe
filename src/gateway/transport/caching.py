"""Caching: which responses to persisted documents browsers and proxies may keep.

A response may be kept if it is public and the same for every caller. Source: RFC 9110 §13.1.2, RFC
9111 §5.2.
"""

from hashlib import blake2b

from starlette.requests import Request
from starlette.responses import Response

PUBLIC_SECONDS = 60  # for which a public response is kept without asking again
KEPT = ("cache-control", "etag", "vary")  # headers of a response that are sent with status 304
PRIVATE = "private, no-store"


def cached(request: Request, response: Response, is_public: bool) -> Response:
    """The response with headers for caches; one without a body if the client has it already."""
    if not is_public:
        response.headers["cache-control"] = PRIVATE
        return response
    etag = f'W/"{blake2b(bytes(response.body), digest_size=16).hexdigest()}"'
    response.headers["cache-control"] = f"public, max-age={PUBLIC_SECONDS}"
    response.headers["etag"] = etag
    if not _has(request.headers.getlist("if-none-match"), etag):
        return response
    kept = {name: response.headers[name] for name in KEPT}
    return Response(status_code=304, headers=kept)


def _has(known: list[str], etag: str) -> bool:
    """True if the client named this response, by weak comparison."""
    tags = [each.strip() for line in known for each in line.split(",")]
    return "*" in tags or etag in tags or etag.removeprefix("W/") in tags
