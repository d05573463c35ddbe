"""Console: a page to try queries and browse the schema; a few files, nothing from elsewhere."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent
FILES = {
    "/graphiql": ("index.html", "text/html"),
    "/graphiql/console.js": ("console.js", "text/javascript"),
    "/graphiql/console.css": ("console.css", "text/css"),
    "/graphiql/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def _route(path: str, name: str, media_type: str) -> Route:
    async def file(_: Request) -> Response:
        return Response((FOLDER / name).read_bytes(), headers=HEADERS, media_type=media_type)

    return Route(path, file)


routes = [_route(path, *file) for path, file in FILES.items()]
