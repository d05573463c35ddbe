"""App: the routes and the middleware of the gateway."""

import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from db import Database
from db.events import echo, severities
from gateway import console, errors
from gateway.auth.authenticator import Auth
from gateway.components import Components
from gateway.lifespan import lifespan
from gateway.media.routes import media_routes
from gateway.middleware.compression import Compression
from gateway.middleware.cross_origin import CrossOrigin
from gateway.middleware.forwarded import ForwardedHeaders, link
from gateway.middleware.loopback_only import LoopbackOnly
from gateway.middleware.request_log import RequestLog
from gateway.otlp import endpoint as otlp
from gateway.settings import Settings
from gateway.transport.host_counts import Column

SCHEMA = "/schema.graphql"


def create_app(
    settings: Settings,
    database: Database,
    auth: Auth | None = None,
    clock: Callable[[], float] = time.perf_counter,
    host: Column | None = None,
) -> Starlette:
    """The gateway over an open database, which it closes at shutdown. Its limits of streams hold
    for all workers of the `host`."""
    severities.use(settings.severity_rules)
    echo.use(settings.echo)
    parts = Components(settings, database, auth or Auth(settings, database), clock, host)
    routes = _routes(parts)
    app = Starlette(
        routes=routes,
        middleware=_middleware(parts, routes),
        exception_handlers=errors.handlers,
        lifespan=lambda _: lifespan(parts),
    )
    app.router.redirect_slashes = False
    _keep_for_server(app, parts)
    return app


def _keep_for_server(app: Starlette, parts: Components) -> None:
    state = app.state
    state.health, state.streams, state.recorder = parts.health, parts.streams, parts.recorder
    state.admission, state.rooms = parts.admission, parts.executor.rooms
    state.answers = parts.answers
    state.connections, state.heads = parts.connections, parts.short_path


def _routes(parts: Components) -> list[BaseRoute]:
    settings = parts.settings
    pages = console.routes(settings, parts.auth, parts.database) if settings.console == "on" else []
    session = Route("/session", parts.auth.session.open, methods=["POST"])
    routes = [
        Route("/", _redirect_to(console.PATH if pages else SCHEMA)),
        Route("/graphql", parts.endpoint.handle, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", parts.web_sockets),
        Route(SCHEMA, parts.endpoint.sdl),
        Route("/export/{noun}", parts.exports.handle),
        Route("/health", parts.health.whole),
        Route("/api/health/ready", parts.health.ready),
        Route("/livez", parts.health.live),
        *media_routes(parts.media, parts.database),
        *pages,
        *([session] if settings.opened_by_token else []),
        *otlp.routes(parts.executor, parts.admission, settings.max_body_bytes),
    ]
    named = [route for route in routes if isinstance(route, Route) and _is_fixed(route.path)]
    return [*routes, *map(_with_slash, named)]


def _middleware(parts: Components, routes: list[BaseRoute]) -> list[Middleware]:
    """From the outermost to the innermost."""
    settings = parts.settings
    return [
        Middleware(ForwardedHeaders, proxies=parts.proxies, prefix=settings.root_path),
        *([Middleware(CrossOrigin, origins=settings.origins)] if settings.origins else []),
        Middleware(RequestLog, recorder=parts.recorder, routes=routes),
        *([Middleware(Compression)] if settings.compression == "on" else []),
        *([Middleware(LoopbackOnly)] if settings.development else []),
    ]


def _redirect_to(path: str) -> Callable[[Request], Awaitable[Response]]:
    async def redirect(request: Request) -> Response:
        return RedirectResponse(link(request, path), 303)

    return redirect


def _is_fixed(path: str) -> bool:
    return path not in ("/", console.PATH) and "{" not in path


def _with_slash(route: Route) -> Route:
    """Redirect to the path without a slash. Starlette's own redirect ignores the proxy."""

    async def redirect(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(link(request, route.path + query), 307)

    return Route(f"{route.path}/", redirect, methods=["GET", "POST"])
