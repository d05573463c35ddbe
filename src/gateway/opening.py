"""Opening: the database a command works on, and whether the gateway can serve from it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from db.core import health, migrate
from db.core.embedded import Embedded
from db.core.errors import Unavailable
from db.core.health import OLDEST_SERVER, Examination
from gateway.exits import Exit, Stopped
from gateway.settings import Settings


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of DATABASE_URL, or of the embedded server, which runs as long as the context."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with Embedded(settings.data_dir) as url:
        yield url


@contextmanager
def migrated_url(settings: Settings) -> Iterator[str]:
    """As `database_url`, for work on the tables: the embedded database is migrated first, a server
    of yours never without being asked. Raises Stopped when it cannot be worked on."""
    with database_url(settings) as url:
        found = examine(url)
        if settings.database_url is None and not found.read_only:
            asyncio.run(migrate.upgrade(url))
            found = examine(url)
        if problem := obstacle(found):
            raise Stopped(f"The database {place(url)} {problem}", Exit.DATABASE)
        yield url


def examine(url: str) -> Examination:
    """What a database is like. Raises Stopped when it cannot be reached."""
    try:
        return asyncio.run(health.examine(url))
    except Unavailable as error:
        message = f"The database {place(url)} cannot be reached: {error.message}."
        raise Stopped(message, Exit.DATABASE) from error


def obstacle(found: Examination) -> str | None:
    """Why the gateway cannot work on such a database, and how to mend it; None when it can."""
    if found.too_old:
        return f"is PostgreSQL {found.version}: the gateway needs {OLDEST_SERVER} or later."
    if found.read_only:
        return "is read-only: point DATABASE_URL at the primary."
    if found.revision is None:
        return "has no tables yet: run `dreamnet migrate up`."
    if not migrate.supported(found.revision):
        return (
            f"is at revision {found.revision}, and this version knows {migrate.OLDEST} to "
            f"{migrate.head()}: run `dreamnet migrate up`, or a newer version of the gateway."
        )
    return None


def place(url: str) -> str:
    """Where a database is, without who signs in and how."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"at {host}{parts.path}" if host else f"{parts.path.lstrip('/')} on this machine"
