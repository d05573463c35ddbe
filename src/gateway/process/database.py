"""Database: the database of a command, and whether the gateway can serve from it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from db.core.connections.pooler import Pooler
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.embedded import Backups, Embedded
from db.core.errors import Unavailable
from db.core.schema import health, migrate, revisions
from db.core.schema.health import OLDEST_SERVER, Inspection
from db.core.schema.migration_lock import MigrationFailed
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.settings import Settings


@contextmanager
def database_url(settings: Settings) -> Iterator[ConnectionInfo]:
    """How to reach the database of the settings, or the embedded server, which runs within the
    context. The pooler is UNKNOWN unless it is set."""
    if (given := settings.connection) is not None:
        yield replace(_behind(given, settings), direct=settings.direct_connection)
        return
    with embedded(settings) as url:
        yield connection_info(url)


def embedded(settings: Settings) -> Embedded:
    """The embedded server, with an archive of its log if there is a folder of backups."""
    folder = settings.backup_dir
    return Embedded(settings.data_dir, backups=None if folder is None else Backups(folder))


@contextmanager
def direct_url(settings: Settings) -> Iterator[ConnectionInfo]:
    if (given := settings.direct_connection) is not None:
        yield given.behind(Pooler.UNKNOWN)
        return
    with database_url(settings) as url:
        yield url


def _behind(info: ConnectionInfo, settings: Settings) -> ConnectionInfo:
    if settings.pooler != "auto":
        return info.behind(Pooler(settings.pooler))
    return info if info.pooler == Pooler.TRANSACTION else info.behind(Pooler.UNKNOWN)


@contextmanager
def migrated_url(settings: Settings) -> Iterator[ConnectionInfo]:
    """As `database_url`, at a supported revision. Only the embedded database is migrated first.
    Raises CommandFailed."""
    with database_url(settings) as url:
        found = examine(url)
        is_old = found.revision != revisions.head()
        if settings.connection is None and is_old and not found.read_only:
            with migrating(url):
                asyncio.run(migrate.upgrade(url))
            found = examine(url)
        if problem := why_not_ready(found):
            raise CommandFailed(f"The database {url} {problem}", ExitCode.DATABASE)
        yield url.behind(found.pooler)


@contextmanager
def migrating(url: ConnectionInfo) -> Iterator[None]:
    try:
        yield
    except MigrationFailed as failed:
        raise CommandFailed(f"The database {url} {failed}", ExitCode.DATABASE) from failed


def examine(url: ConnectionInfo) -> Inspection:
    """Inspect a database. Raises CommandFailed if it cannot be reached."""
    try:
        return asyncio.run(health.inspect(url))
    except Unavailable as error:
        message = f"The database {url} cannot be reached: {error.message}."
        raise CommandFailed(message, ExitCode.DATABASE) from error


def why_not_ready(found: Inspection) -> str | None:
    """Why the gateway cannot use a database, and how to fix it; None if it can."""
    if found.too_old:
        return f"is PostgreSQL {found.version}: the gateway needs {OLDEST_SERVER} or later."
    if found.read_only:
        return "is read-only: point DATABASE_URL at the primary."
    if found.revision is None:
        return "has no tables yet: run `dreamnet migrate up`."
    if found.revision not in revisions.revisions():
        return revisions.unknown(found.revision)
    if not revisions.supported(found.revision):
        return (
            f"is at revision {found.revision}, and this version works from {revisions.oldest()} "
            "on: run `dreamnet migrate up`."
        )
    return None


def is_missing(settings: Settings) -> bool:
    return settings.connection is None and not (settings.data_dir / "data").exists()


def describe_database(settings: Settings, url: ConnectionInfo) -> str:
    if settings.connection is None:
        return f"{settings.data_dir.resolve()} (embedded PostgreSQL)"
    return f"the database {url}"
