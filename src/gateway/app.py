"""App: the routes of the gateway, and what surrounds every request."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from db import Database
from db.core.health import Probe
from db.core.ingest import Ingestion
from gateway import console, errors
from gateway.admission import Admission
from gateway.auth import Auth
from gateway.callers import Callers
from gateway.health import Health
from gateway.http import CONSOLE, Endpoint
from gateway.idle_connections import IdleConnections
from gateway.loopback import LoopbackOnly
from gateway.proxies import BehindProxies, link
from gateway.requests import Recorder, RequestEvents
from gateway.room import Rooms
from gateway.service import Service
from gateway.settings import Settings
from gateway.streams import Streams
from gateway.telemetry import RequestLog
from gateway.upkeep import upkeep
from gateway.waiting_room import WaitingRoom
from gateway.websocket import WebSockets
from graph.core.budget import MEMORY, Budget
from graph.core.limits import Limits
from graph.core.live import Live
from graph.schema import schema

RESULTS = 16  # as many of the largest responses find room at once


def create_app(settings: Settings, database: Database, auth: Auth | None = None) -> Starlette:
    """The gateway over an open database, whose connections it closes when it stops."""
    auth = auth or Auth(settings, database)
    ingestion, live = Ingestion(database), Live(database)
    recorder = Recorder(ingestion, settings.recorded_share)
    endpoint = _endpoint(settings, database, ingestion, auth, live, recorder)
    health = Health(Probe(database), live.feeds, endpoint.streams)
    session = Route("/session", auth.session.open, methods=["POST"])
    routes = [
        *_routes(endpoint, health),
        *console.routes,
        *([session] if settings.opened_by_token else []),
    ]
    named = [route for route in routes if isinstance(route, Route) and route.path != "/"]
    routes += map(_with_slash, named)
    around = [
        Middleware(BehindProxies, trusted=settings.proxies, prefix=settings.root_path),
        Middleware(RequestLog, routes=routes),
        *([Middleware(LoopbackOnly)] if settings.development else []),
        *([Middleware(RequestEvents, recorder=recorder)] if recorder.sample else []),
    ]
    app = Starlette(
        routes=routes,
        middleware=around,
        exception_handlers=errors.handlers,
        lifespan=_lifespan(settings, database, health, ingestion, auth, live, recorder),
    )
    app.router.redirect_slashes = False
    app.state.health, app.state.streams = health, endpoint.streams  # for who stops the process
    app.state.admission, app.state.rooms = endpoint.admission, endpoint.service.rooms
    app.state.connections = IdleConnections(settings)
    return app


def _endpoint(
    settings: Settings,
    database: Database,
    ingestion: Ingestion,
    auth: Auth,
    live: Live,
    recorder: Recorder,
) -> Endpoint:
    service = Service(
        schema=schema,
        database=database,
        ingestion=ingestion,
        live=live,
        auth=auth,
        max_document_bytes=settings.max_document_bytes,
        limits=_limits(settings),
        callers=_callers(settings),
        recorder=recorder,
        rooms=Rooms(RESULTS * settings.max_response_bytes),
    )
    admission = Admission(settings.max_body_bytes, service.turns)
    return Endpoint(service, settings.max_body_bytes, _streams(settings), admission)


def _limits(settings: Settings) -> Limits:
    return Limits(
        tokens=settings.max_tokens,
        definitions=settings.max_definitions,
        depth=settings.max_depth,
        aliases=settings.max_aliases,
        directives=settings.max_directives,
        root_fields=settings.max_root_fields,
        selections=settings.max_selections,
        cost=settings.max_cost,
        values=settings.max_input_values,
        values_anonymous=settings.max_input_values_anonymous,
        values_subscription=settings.max_input_values_subscription,
    )


def _callers(settings: Settings) -> Callers:
    storage = settings.budget_storage
    return Callers(
        Budget(storage.get_secret_value() if storage else MEMORY),
        signed_in=settings.budget_points_per_minute,
        anonymous=settings.budget_points_per_minute_anonymous,
    )


def _streams(settings: Settings) -> Streams:
    return Streams(
        settings.max_streams,
        settings.max_streams_per_caller,
        settings.max_streams_per_network,
        WaitingRoom(
            settings.max_unidentified_sockets, settings.max_unidentified_sockets_per_network
        ),
    )


def _routes(endpoint: Endpoint, health: Health) -> list[BaseRoute]:
    return [
        Route("/", _home),
        Route("/graphql", endpoint.handle, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", WebSockets(endpoint.service, endpoint.streams)),
        Route("/schema.graphql", endpoint.sdl),
        Route("/health", health.whole),
        Route("/api/health/ready", health.ready),
        Route("/livez", health.live),
    ]


def _lifespan(
    settings: Settings,
    database: Database,
    health: Health,
    ingestion: Ingestion,
    auth: Auth,
    live: Live,
    recorder: Recorder,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        maintained = database.lent_to("maintenance")
        async with upkeep(maintained, settings.keep), auth.running(), live.running():
            yield
            health.stopping = True
            recorder.flush()
            await ingestion.close()
            recorder.close()
        await health.probe.close()
        await database.close()

    return lifespan


async def _home(request: Request) -> Response:
    return RedirectResponse(link(request, CONSOLE), 303)


def _with_slash(route: Route) -> Route:
    """Starlette's own would lead to the address at which the proxy calls us."""

    async def redirect(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(link(request, route.path + query), 307)

    return Route(f"{route.path}/", redirect, methods=["GET", "POST"])
