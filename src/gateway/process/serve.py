"""Serve: run the gateway, in this process or in several."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from db.core.connections.url import ConnectionInfo
from db.core.embedded import Supervisor
from db.core.errors import DomainError
from gateway.auth import first_admin
from gateway.auth.browser_session import BrowserSession
from gateway.auth.pepper import api_key_codec
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.middleware import request_log
from gateway.process.database import describe_database, embedded, migrated_url
from gateway.process.listener import listening
from gateway.process.metrics_endpoint import metrics_endpoint
from gateway.process.shared_budgets import shared_budgets
from gateway.process.startup_message import StartupMessage, base
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.process.server import Server
    from gateway.process.workers import Workers

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises CommandFailed, SettingsRefused, EmbeddedFailed."""
    if not settings.development:
        api_key_codec(settings)  # raises if the pepper is missing
    allow_open_files()
    with (
        listening(settings.host, settings.port) as listener,
        migrated_url(settings) as url,
        shared_budgets(settings) as settings,
        ExitStack() as stack,
    ):
        request_log.configure(settings)
        stack.enter_context(metrics_endpoint(settings))
        create_first_admin(settings, url)
        session = BrowserSession()
        greeting = _startup_message(settings, url, session)
        serving = _serving(settings, url, session, greeting)
        with _supervised(settings, serving.leave):
            serving.run(sockets=[listener])


def _serving(
    settings: Settings, url: ConnectionInfo, session: BrowserSession, greeting: StartupMessage
) -> "Server | Workers":
    if settings.workers > 1:
        from gateway.process.workers import Workers

        return Workers(settings, url, session, greeting)
    from gateway.process import configuration  # builds the schema, which takes a second

    return configuration.server(settings, url, session, greeting)


def allow_open_files() -> None:
    """Raise the soft limit of file descriptors: each connection needs one, and the default is often
    1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # some systems grant less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def create_first_admin(settings: Settings, url: ConnectionInfo) -> None:
    """Create the first administrator and log the path of its key. Raises CommandFailed, except in
    development, which needs no administrator."""
    try:
        path = asyncio.run(first_admin.admin_key(url, settings))
    except DomainError as error:
        message = f"The first administrator cannot be created: {error}"
        if not settings.development:
            raise CommandFailed(message, ExitCode.PROBLEMS) from error
        log.warning("no user has the role ADMIN", reason=str(error))
        return
    if path is not None:
        log.info("first start: the administrator's API key is in a file", path=str(path.resolve()))


def _startup_message(
    settings: Settings, url: ConnectionInfo, session: BrowserSession
) -> StartupMessage:
    return StartupMessage(
        version("dreamnet-gateway"),
        settings.env,
        base(settings.host, settings.port, settings.root_path),
        describe_database(settings, url),
        session.token if settings.opened_by_token else None,
    )


@contextmanager
def _supervised(settings: Settings, give_up: Callable[[], None]) -> Iterator[None]:
    """Within the context, restart the embedded server if it dies. Raises EmbeddedFailed at the end
    if that failed."""
    if settings.connection is not None:
        yield
        return
    with Supervisor(embedded(settings), give_up) as supervisor:
        yield
    if supervisor.failure:
        raise supervisor.failure
