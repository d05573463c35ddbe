"""Serving: the gateway as a process, from its first look at the database to its last answer."""

import errno
import socket
from importlib.metadata import version

import uvicorn
from rich.console import Console
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from db import Database
from gateway import telemetry
from gateway.app import create_app
from gateway.errors import Refused, refusal
from gateway.exits import Exit, Stopped
from gateway.opening import migrated_url, place
from gateway.settings import Settings

BACKLOG = 2048


def serve(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM. Raises Stopped when it cannot start."""
    with listening(settings.host, settings.port) as listener, migrated_url(settings) as url:
        telemetry.configure(settings)
        database = Database(url, settings.pool_size)
        Console(highlight=False, soft_wrap=True).print(_greeting(settings, url))
        uvicorn.Server(configuration(settings, database)).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises Stopped."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (
            "another program listens there: stop it, or set DREAMNET_PORT"
            if error.errno == errno.EADDRINUSE
            else error.strerror
        )
        raise Stopped(f"Cannot listen on {host} port {port}: {reason}.", Exit.PORT) from error


class Protocol(HttpToolsProtocol):
    """uvicorn's, whose answer to what is not HTTP at all is JSON too."""

    def send_400_response(self, msg: str) -> None:
        response = refusal(Refused(msg), telemetry.new_request_id())
        headers = [*response.raw_headers, (b"connection", b"close")]
        lines = [b"%b: %b\r\n" % header for header in headers]
        head = [b"HTTP/1.1 400 Bad Request\r\n", *lines, b"\r\n"]
        self.transport.write(b"".join([*head, bytes(response.body)]))
        self.transport.close()


def configuration(settings: Settings, database: Database) -> uvicorn.Config:
    """uvicorn around the gateway; the request log is ours, not uvicorn's."""
    return uvicorn.Config(
        create_app(settings, database),
        loop="uvloop",
        http=Protocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _greeting(settings: Settings, url: str) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    data = f"{settings.data_dir.resolve()} (embedded PostgreSQL)"
    return "\n".join(
        [
            f"[bold]DreamNet gateway {version('dreamnet-gateway')}[/bold] ({settings.env})",
            f"  GraphQL  {base}/graphql",
            f"  Console  {base}/graphiql",
            f"  Health   {base}/health",
            f"  Data     {data if settings.database_url is None else place(url)}",
            "Ctrl-C stops it.",
        ]
    )
