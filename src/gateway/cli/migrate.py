"""Migrate: `dreamnet migrate`."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import typer

from db.core.connections.url import ConnectionInfo
from db.core.schema import migrate, revisions
from db.core.schema.health import Inspection
from db.core.schema.migrate import Loss
from db.core.schema.migration_lock import WAIT_SECONDS
from db.core.schema.revisions import Phase
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.process.database import direct_url, examine, migrating, why_not_ready
from gateway.settings import Settings

BASE = "base"
Way = Callable[[ConnectionInfo, str, Callable[[], None]], Coroutine[object, None, None]]


def up(settings: Settings, revision: str | None, phase: Phase | None) -> None:
    """Migrate up and print where the database is. Raises CommandFailed."""
    if revision is not None and phase is not None:
        raise CommandFailed("Name a revision or a phase, not both.", ExitCode.USAGE)
    target = revisions.newest(phase or Phase.POST) if revision is None else revision
    _check_is_known(target)
    with _opened(settings) as (url, found):
        _check_can_be_migrated(settings, url, found)
        if phase and not _is_below(str(found.revision or BASE), target):
            typer.echo(f"The database is at revision {found.revision}.")
            return
        _move(url, migrate.upgrade, target)


def down(settings: Settings, revision: str, *, sure: bool) -> None:
    """Migrate down and prints where the database is. Raises CommandFailed, and Abort on a "no"."""
    if revision != BASE:
        _check_is_known(revision)
    with _opened(settings) as (url, found):
        _check_can_be_migrated(settings, url, found)
        if _is_below(revision, found.revision):
            _confirm(url, migrate.loss(str(found.revision), revision), sure=sure)
            _move(url, migrate.downgrade, revision)
            return
    at = found.revision or "none"
    raise CommandFailed(
        f"The database {url} is at revision {at}, not above {revision}.", ExitCode.USAGE
    )


def current(settings: Settings) -> ExitCode:
    """Print the revision of the database. Raises CommandFailed if it is unknown."""
    with _opened(settings, prints=True) as (_, found):
        return ExitCode.OK if revisions.supported(found.revision) else ExitCode.PROBLEMS


def check(settings: Settings) -> ExitCode:
    """Print how the tables differ. Raises CommandFailed."""
    with _opened(settings) as (url, _), migrating(url):
        differences = asyncio.run(migrate.check(url))
    typer.echo("\n".join(differences) or "The tables match the code.")
    return ExitCode.PROBLEMS if differences else ExitCode.OK


@contextmanager
def _opened(
    settings: Settings, *, prints: bool = False
) -> Iterator[tuple[ConnectionInfo, Inspection]]:
    with direct_url(settings) as url:
        found = examine(url)
        if prints:
            typer.echo(found.revision or "none")
        if found.revision not in (None, *revisions.revisions()):
            raise CommandFailed(
                f"The database {url} {revisions.unknown(str(found.revision))}", ExitCode.DATABASE
            )
        yield url.behind(found.pooler), found


def _check_is_known(revision: str) -> None:
    known = revisions.revisions()
    if revision not in known:
        message = f"There is no revision {revision}: there are {known[0]} to {known[-1]}."
        raise CommandFailed(message, ExitCode.USAGE)


def _check_can_be_migrated(settings: Settings, url: ConnectionInfo, found: Inspection) -> None:
    if found.too_old or found.read_only:
        raise CommandFailed(f"The database {url} {why_not_ready(found)}", ExitCode.DATABASE)
    if found.pooler.keeps_sessions:
        return
    remedy = (
        "DREAMNET_DIRECT_URL must be the URL of PostgreSQL itself"
        if settings.direct_url
        else "set DREAMNET_DIRECT_URL to the URL of PostgreSQL itself"
    )
    raise CommandFailed(
        f"The database {url} is behind a connection pooler and cannot be migrated through it: "
        f"{remedy}.",
        ExitCode.DATABASE,
    )


def _is_below(revision: str, at: str | None) -> bool:
    known = (BASE, *revisions.revisions())
    return known.index(revision) < known.index(at or BASE)


def _confirm(url: ConnectionInfo, loss: Loss, *, sure: bool) -> None:
    if not sure and not sys.stdin.isatty():
        raise CommandFailed(
            "Migrating down drops tables and columns with their data: confirm with --yes.",
            ExitCode.USAGE,
        )
    typer.echo("\n".join(_warning(url, loss)), err=True)
    if not sure:
        typer.confirm("Continue?", abort=True, err=True)


def _warning(url: ConnectionInfo, loss: Loss) -> Iterator[str]:
    yield f"The database {url} loses these migrations:"
    yield from (f"  {title}" for title in loss.migrations)
    dropped = {"tables": loss.tables, "columns": loss.columns}
    if any(dropped.values()):
        yield "and drops, with their data:"
    for kind, names in dropped.items():
        if names:
            yield f"  {kind} {', '.join(names)}"


def _move(url: ConnectionInfo, way: Way, revision: str) -> None:
    async def moved() -> str | None:
        await way(url, revision, _waiting)
        return await migrate.current(url)

    with migrating(url):
        typer.echo(f"The database is at revision {asyncio.run(moved()) or 'none'}.")


def _waiting() -> None:
    message = f"Another process is migrating this database; waiting up to {WAIT_SECONDS} s."
    typer.echo(message, err=True)
