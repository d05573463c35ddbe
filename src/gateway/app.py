"""App: the routes and the middleware of the gateway."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from db import Database
from db.core.errors import Unavailable
from db.core.ingest.writer import Ingestion
from db.core.schema.health import Probe
from db.core.session.replicas import Replicas
from db.events import echo, severities
from db.notifications import mail
from db.webhooks import outbox
from gateway import console, errors, log_format
from gateway.archive import archiving
from gateway.auth.authenticator import Auth
from gateway.auth.clients import ClientAccounts
from gateway.auth.pepper import api_key_codec
from gateway.document_manifest import read_manifest
from gateway.health import Health
from gateway.maintenance import run_maintenance
from gateway.media.routes import media_routes
from gateway.media.store import Media
from gateway.middleware.compression import Compression
from gateway.middleware.cross_origin import CrossOrigin
from gateway.middleware.forwarded import ForwardedHeaders, TrustedProxies, link
from gateway.middleware.loopback_only import LoopbackOnly
from gateway.middleware.recorder import Recorder
from gateway.middleware.request_events import RequestEvents
from gateway.middleware.request_log import RequestLog
from gateway.monitoring.metrics import Sources
from gateway.otlp import endpoint as otlp
from gateway.outboxes import Deliverer, Outbox
from gateway.protocols.idle_connections import IdleConnections
from gateway.protocols.short_path import Heads
from gateway.protocols.waiting_room import WaitingRoom
from gateway.settings import Settings
from gateway.settings.mail_server import MailServer
from gateway.transport.admission import Admission
from gateway.transport.connections import OpenStreams
from gateway.transport.documents import Documents, RegisteredDocuments, TrustedDocuments
from gateway.transport.executor import Executor
from gateway.transport.exports import Exports
from gateway.transport.host_counts import Column
from gateway.transport.http import Endpoint
from gateway.transport.memory_shares import Rooms
from gateway.transport.responder import Additions
from gateway.transport.short_path import ShortPath
from gateway.transport.websocket import WebSockets
from graph.core.budget import Budget
from graph.core.execution.answers import Answers
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.schema import federated_schema, schema

if TYPE_CHECKING:
    from gateway.tracing.spans import Tracing

SCHEMA = "/schema.graphql"
RESULTS = 16  # of the largest responses in memory at once


def create_app(
    settings: Settings,
    database: Database,
    auth: Auth | None = None,
    clock: Callable[[], float] = time.perf_counter,
    host: Column | None = None,
) -> Starlette:
    """The gateway over an open database, which it closes at shutdown. Its limits of streams hold
    for all workers of the `host`."""
    auth = auth or Auth(settings, database)
    ingestion, broker = Ingestion(database), SubscriptionBroker(database)
    severities.use(settings.severity_rules)
    echo.use(settings.echo)
    events = RequestEvents(ingestion, settings.recorded_share)
    tracing = _tracing(settings)
    starts = settings.request_start == "on"
    recorder = Recorder(events, clock, records_starts=starts, tracing=tracing)
    media, replicas = Media(settings), _replicas(settings, database)
    streams = _streams(settings, host)
    executor = _executor(settings, database, ingestion, auth, broker, recorder, media, replicas)
    endpoint = _endpoint(settings, executor, streams)
    pages = console.routes(settings, auth, database) if settings.console == "on" else []
    health = Health(Probe(database), broker.feeds, endpoint.streams, replicas)
    session = Route("/session", auth.session.open, methods=["POST"])
    routes = [
        Route("/", _redirect_to(console.PATH if pages else SCHEMA)),
        *_routes(
            endpoint,
            Exports(endpoint.executor, endpoint.streams, settings.export_max_seconds),
            health,
        ),
        *media_routes(media, database),
        *pages,
        *([session] if settings.opened_by_token else []),
        *otlp.routes(endpoint.executor, endpoint.admission, settings.max_body_bytes),
    ]
    named = [route for route in routes if isinstance(route, Route) and _is_fixed(route.path)]
    routes += map(_with_slash, named)
    proxies = TrustedProxies(settings.proxies)
    app = Starlette(
        routes=routes,
        middleware=_middleware(settings, proxies, recorder, routes),
        exception_handlers=errors.handlers,
        lifespan=_lifespan(settings, executor, media, health, streams, tracing),
    )
    app.router.redirect_slashes = False
    app.state.health, app.state.streams = health, endpoint.streams  # for the server
    app.state.admission, app.state.rooms = endpoint.admission, endpoint.executor.rooms
    app.state.answers = executor.answers
    app.state.connections, app.state.recorder = IdleConnections(settings), recorder
    app.state.heads = Heads(
        ShortPath(
            endpoint.executor,
            recorder,
            proxies,
            prefix=settings.root_path or "",
            is_local_only=settings.development,
            additions=Additions(settings.origins, settings.compression == "on"),
        )
    )
    return app


def _middleware(
    settings: Settings, proxies: TrustedProxies, recorder: Recorder, routes: list[BaseRoute]
) -> list[Middleware]:
    """From the outermost to the innermost."""
    return [
        Middleware(ForwardedHeaders, proxies=proxies, prefix=settings.root_path),
        *([Middleware(CrossOrigin, origins=settings.origins)] if settings.origins else []),
        Middleware(RequestLog, recorder=recorder, routes=routes),
        *([Middleware(Compression)] if settings.compression == "on" else []),
        *([Middleware(LoopbackOnly)] if settings.development else []),
    ]


def _executor(
    settings: Settings,
    database: Database,
    ingestion: Ingestion,
    auth: Auth,
    broker: SubscriptionBroker,
    recorder: Recorder,
    media: Media,
    replicas: Replicas | None,
) -> Executor:
    return Executor(
        schema=federated_schema() if settings.federation == "on" else schema,
        database=database,
        ingestion=ingestion,
        broker=broker,
        auth=auth,
        max_document_bytes=settings.max_document_bytes,
        limits=settings.operation_limits,
        accounts=_accounts(settings, auth.budget),
        recorder=recorder,
        rooms=Rooms(RESULTS * settings.max_response_bytes),
        documents=_documents(settings),
        media=media,
        replicas=replicas,
        answers=Answers(database, most) if (most := settings.response_cache_bytes) else None,
    )


def _endpoint(settings: Settings, executor: Executor, streams: OpenStreams) -> Endpoint:
    admission = Admission(settings.max_body_bytes, executor.turns)
    return Endpoint(
        executor,
        settings.max_body_bytes,
        streams,
        admission,
        settings.origins,
        has_graphiql=settings.console == "on",
    )


def _replicas(settings: Settings, database: Database) -> Replicas | None:
    infos = [each.behind(database.url.pooler) for each in settings.replica_connections]
    standbys = [database.replica(info) for info in infos]
    return Replicas(database, standbys, settings.replica_max_late_seconds) if standbys else None


def _documents(settings: Settings) -> Documents:
    path = settings.trusted_documents
    return TrustedDocuments(read_manifest(path)) if path else RegisteredDocuments()


def _accounts(settings: Settings, budget: Budget) -> ClientAccounts:
    return ClientAccounts(
        budget,
        signed_in=settings.budget_points_per_minute,
        anonymous=settings.budget_points_per_minute_anonymous,
    )


def _streams(settings: Settings, host: Column | None) -> OpenStreams:
    return OpenStreams(
        settings.max_streams,
        settings.max_streams_per_caller,
        settings.max_streams_per_network,
        WaitingRoom(
            settings.max_unidentified_sockets, settings.max_unidentified_sockets_per_network
        ),
        host,
    )


def _routes(endpoint: Endpoint, exports: Exports, health: Health) -> list[BaseRoute]:
    return [
        Route("/graphql", endpoint.handle, methods=["GET", "POST"]),
        WebSocketRoute(
            "/graphql", WebSockets(endpoint.executor, endpoint.streams, endpoint.origins)
        ),
        Route(SCHEMA, endpoint.sdl),
        Route("/export/{noun}", exports.handle),
        Route("/health", health.whole),
        Route("/api/health/ready", health.ready),
        Route("/livez", health.live),
    ]


def _lifespan(
    settings: Settings,
    executor: Executor,
    media: Media,
    health: Health,
    streams: OpenStreams,
    tracing: "Tracing | None",
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        database, auth, recorder = executor.database, executor.auth, executor.recorder
        maintained = database.borrowed_by("maintenance")
        sending = [each.send_due for each in _outboxes(settings, database)]
        work = media.delete, sending, settings.key_expiry_notice, archiving(settings)
        sources = _sources(executor, streams, health)
        if health.replicas:
            with suppress(Unavailable):  # a gateway starts without its database, too
                await health.replicas.begin()
        async with (
            run_maintenance(maintained, settings.keep, settings.keep_keys, *work),
            auth.running(),
            executor.broker.running(),
            _publishing(settings, sources),
        ):
            yield
            health.stopping = True
            recorder.flush()
            await executor.ingestion.close()
            recorder.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)
        await auth.budget.close()
        await health.probe.close()
        if health.replicas:
            await health.replicas.close()
        await database.close()
        log_format.flush()

    return lifespan


def _sources(executor: Executor, streams: OpenStreams, health: Health) -> Sources:
    return Sources(
        executor.recorder,
        executor.database,
        executor.broker.feeds,
        streams,
        executor.ingestion,
        executor.auth.budget,
        health,
        executor.answers,
    )


def _tracing(settings: Settings) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    from gateway.tracing.spans import Tracing

    return Tracing(settings.otlp_endpoint)


def _publishing(settings: Settings, sources: Sources) -> AbstractAsyncContextManager[None]:
    if settings.metrics_port is None:
        return nullcontext()
    from gateway.monitoring.publishing import Publisher

    return Publisher(sources).running()


def _outboxes(settings: Settings, database: Database) -> Iterator[Outbox]:
    hooks = database.borrowed_by("webhooks")
    yield Outbox(hooks, outbox.QUEUE, partial(_deliverer, settings, hooks))
    if (server := settings.mail_server) is not None:
        mails = database.borrowed_by("mail")
        yield Outbox(mails, mail.QUEUE, partial(_mailer, settings, mails, server))


def _mailer(settings: Settings, database: Database, server: MailServer) -> Deliverer:
    from gateway.mail.delivery import Mailer

    is_encrypted = settings.smtp_tls == "on"
    return Mailer(database, server, settings.mail_from or "", is_encrypted=is_encrypted)


def _deliverer(settings: Settings, database: Database) -> Deliverer:
    from gateway.webhooks.addresses import Destinations
    from gateway.webhooks.delivery import Deliverer

    pepper = api_key_codec(settings).pepper
    return Deliverer(database, pepper, Destinations(settings.webhook_places))


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
