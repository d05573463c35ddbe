"""Configuration: how uvicorn serves the app of the gateway in one process."""

import uvicorn

from db import Database
from db.core.connections.url import ConnectionInfo
from gateway.app import create_app
from gateway.auth.authenticator import Auth
from gateway.auth.browser_session import BrowserSession
from gateway.process.server import Server
from gateway.process.startup_message import StartupMessage
from gateway.protocols import websocket
from gateway.protocols.http11 import KEEP_ALIVE_SECONDS, Http11Protocol
from gateway.protocols.short_path import ShortPathProtocol
from gateway.settings import Settings
from gateway.transport.host_counts import Column


def server(
    settings: Settings,
    url: ConnectionInfo,
    session: BrowserSession,
    greeting: StartupMessage | None = None,
    host: Column | None = None,
) -> Server:
    database = Database(
        url, settings.pool_size, settings.lock_timeout_seconds, timeouts=settings.timeouts
    )
    auth = Auth(settings, database, session=session)
    return Server(uvicorn_config(settings, database, auth, host), settings, greeting)


def uvicorn_config(
    settings: Settings,
    database: Database,
    auth: Auth | None = None,
    host: Column | None = None,
) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, database, auth, host=host),
        loop="uvloop",
        http=ShortPathProtocol if settings.short_path == "on" else Http11Protocol,
        ws=websocket.WebSocketProtocol,
        ws_max_size=websocket.MAX_MESSAGE,
        ws_ping_interval=websocket.PING_SECONDS,
        ws_ping_timeout=websocket.PING_SECONDS,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # ForwardedHeaders reads them
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
