"""Serving: the gateway as a process, from its first look at the database to its last answer."""

import asyncio
import errno
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

import structlog
import uvicorn

from db import Database
from db.core.embedded import Embedded, Supervisor
from db.core.errors import DomainError
from db.core.url import ConnectionInfo
from gateway import frames, pace, telemetry
from gateway.app import create_app
from gateway.auth import Auth, first
from gateway.auth.minting import mint
from gateway.auth.session import Session
from gateway.exits import Exit, Stopped
from gateway.greeting import Greeting, base, is_everywhere
from gateway.opening import migrated_url, whereabouts
from gateway.protocol import KEEP_ALIVE_SECONDS, Protocol
from gateway.server import Server
from gateway.settings import Settings

BACKLOG = 2048
UNACKNOWLEDGED_MS = 30_000  # until the system gives up a client that takes nothing any more

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM. Raises Stopped, SettingsRefused, EmbeddedFailed."""
    if not settings.development:
        mint(settings)  # without its pepper nothing is even started
    allow_open_files()
    with listening(settings.host, settings.port) as listener, migrated_url(settings) as url:
        telemetry.configure(settings)
        admit_first(settings, url)
        database = Database(
            url, settings.pool_size, settings.lock_timeout_seconds, timeouts=settings.timeouts
        )
        auth = Auth(settings, database)
        greeting = _greeting(settings, url, auth.session)
        server = Server(configuration(settings, database, auth), settings, greeting)
        with _supervised(settings, server.leave):
            server.run(sockets=[listener])


def allow_open_files() -> None:
    """Takes as many descriptors as the system grants this process: each connection needs one, and
    many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # some systems grant less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def admit_first(settings: Settings, url: ConnectionInfo) -> None:
    """Makes the first administrator; tells where the key is, never what it is. Raises Stopped,
    except in development, which acts as an administrator all the same."""
    try:
        path = asyncio.run(first.admin_key(url, settings))
    except DomainError as error:
        message = f"The first administrator cannot be made: {error}"
        if not settings.development:
            raise Stopped(message, Exit.PROBLEMS) from error
        log.warning("nobody has the role ADMIN", reason=str(error))
        return
    if path is not None:
        log.info("first start: the administrator's API key is in a file", path=str(path.resolve()))


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; `::` is every address of both families. Raises Stopped."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = family == socket.AF_INET6 and is_everywhere(host) and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        reason = (
            "another program listens there: stop it, or set DREAMNET_PORT"
            if error.errno == errno.EADDRINUSE
            else error.strerror
        )
        raise Stopped(f"Cannot listen on {host} port {port}: {reason}.", Exit.PORT) from error
    if sys.platform == "linux":  # connections inherit these
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, pace.UNSENT)
    return listener


def configuration(
    settings: Settings, database: Database, auth: Auth | None = None
) -> uvicorn.Config:
    """uvicorn around the gateway; the request log is ours, not uvicorn's."""
    return uvicorn.Config(
        create_app(settings, database, auth),
        loop="uvloop",
        http=Protocol,
        ws=frames.Frames,
        ws_max_size=frames.MAX_MESSAGE,
        ws_ping_interval=frames.PING_SECONDS,
        ws_ping_timeout=frames.PING_SECONDS,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # BehindProxies heeds them
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _greeting(settings: Settings, url: ConnectionInfo, session: Session) -> Greeting:
    return Greeting(
        version("dreamnet-gateway"),
        settings.env,
        base(settings.host, settings.port, settings.root_path),
        whereabouts(settings, url),
        session.token if settings.opened_by_token else None,
    )


@contextmanager
def _supervised(settings: Settings, give_up: Callable[[], None]) -> Iterator[None]:
    """A context in which the embedded server is kept up. Raises EmbeddedFailed on leaving when that
    was no use."""
    if settings.connection is not None:
        yield
        return
    with Supervisor(Embedded(settings.data_dir), give_up) as supervisor:
        yield
    if supervisor.failure:
        raise supervisor.failure
