"""Console: pages that show DreamNet in a browser, and GraphiQL. They are built from web/console.

A page may load only what the gateway serves. Styles that a script adds need the nonce of the page,
which is new in each response.
"""

import secrets
from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from db import Database
from gateway.auth.authenticator import Auth
from gateway.console.sample import SampleImport
from gateway.errors import HttpError
from gateway.middleware.forwarded import link
from gateway.qualities import qualities
from gateway.settings import Settings

PATH = "/console"
FOLDER = Path(__file__).parent
BUILT = FOLDER / "static"
PROGRESS = FOLDER / "static.progress"  # exists while the console is built in a checkout

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff2": "font/woff2",
}
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # in the order of preference
HASHED = "public, max-age=31536000, immutable"

POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'; style-src 'self' "
)
MONACO = "'unsafe-inline'; font-src 'self' data:; worker-src 'self' blob:"  # its editors need it


def routes(settings: Settings, auth: Auth, database: Database) -> list[BaseRoute]:
    page = partial(_page, has_sample=settings.development)
    return [
        Route(PATH, page),
        Route(f"{PATH}/assets/{{name}}", _asset),
        *([SampleImport(auth, database).route] if settings.development else []),
        Route(f"{PATH}/{{path:path}}", page),
        Route("/graphiql", _graphiql),
    ]


async def _page(request: Request, has_sample: bool) -> Response:
    nonce = secrets.token_urlsafe(16)
    filled = {"NONCE": nonce, "SAMPLE": "yes" if has_sample else "no"}
    return _html(request, "index.html", f"'nonce-{nonce}'", filled)


async def _graphiql(request: Request) -> Response:
    return _html(request, "graphiql.html", MONACO, {})


def _html(request: Request, name: str, styles: str, filled: Mapping[str, str]) -> Response:
    """A page whose links are relative to its folder, wherever a proxy serves it."""
    path = BUILT / name
    if not path.exists():
        return _unbuilt()
    folder = escape(link(request, f"{PATH}/"))
    text = path.read_text()
    for place, value in {"FOLDER": folder, **filled}.items():
        text = text.replace(f"%{place}%", value)
    return _response(text, POLICY + styles)


def _unbuilt() -> Response:
    text = (FOLDER / "unbuilt.html").read_text()
    doing = PROGRESS.read_text() if PROGRESS.exists() else ""
    return _response(text.replace("%PROGRESS%", escape(doing)), POLICY + "'unsafe-inline'")


def _response(text: str, policy: str) -> Response:
    headers = {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return Response(text, headers=headers, media_type="text/html")


async def _asset(request: Request) -> Response:
    """A file whose name has a hash of its content, in an encoding that the client accepts."""
    path = BUILT / "assets" / request.path_params["name"]
    if path.suffix not in MEDIA_TYPES or not path.is_file():
        raise HttpError("The console has no such file.", 404)
    headers = {"cache-control": HASHED, "vary": "Accept-Encoding"}
    accepted = qualities(request.headers.get("accept-encoding", ""))
    for encoding, suffix in ENCODINGS.items():
        encoded = path.with_name(path.name + suffix)
        if accepted.get(encoding, 0) > 0 and encoded.exists():
            headers["content-encoding"] = encoding
            return FileResponse(encoded, headers=headers, media_type=MEDIA_TYPES[path.suffix])
    return FileResponse(path, headers=headers, media_type=MEDIA_TYPES[path.suffix])
