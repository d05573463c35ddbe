"""Archive: `dreamnet archive`, old months as files."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db import Database
from db.archive import NOUNS, ArchivedMonth, ArchiveNoun, Differs, archive, archived, restore
from db.archive.querying import Window, lines
from db.core.errors import DomainError, Invalid
from db.core.values.rfc3339 import read_time
from gateway.archive.store import files
from gateway.exit_codes import EXIT_CODES, CommandFailed, ExitCode
from gateway.process.database import migrated_url
from gateway.settings import Settings, load

T = TypeVar("T")
WORKING = "Another process is moving or deleting months at the moment; try again later."

app = typer.Typer(
    help="Old months of rows as files, described in docs/archive.md.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)
Noun = Annotated[str, typer.Argument(help=f"{', '.join(NOUNS)}.")]
Month = Annotated[str, typer.Argument(help="Month, such as 2025-01.")]


@app.command(epilog=EXIT_CODES)
def run(
    restored: Annotated[
        bool, typer.Option("--restored", help="Also archive months again that were restored.")
    ] = False,
) -> None:
    """Move the months that are due to files, as gateways do once a day."""
    settings = load()
    if not settings.archive_after:
        raise CommandFailed(
            "Nothing is archived: name the rows in DREAMNET_ARCHIVE_NOUNS.", ExitCode.USAGE
        )

    async def moved(database: Database) -> list[str] | None:
        after = settings.archive_after
        return await archive(database, files(settings), after, restored=restored)

    for name in _given(_with_database(settings, moved)):
        typer.echo(f"Archived {name}.")


@app.command("list", epilog=EXIT_CODES)
def list_() -> None:
    """List the months of the archive, and their files."""
    table = Table("Rows of", "Month", "Rows", "Bytes", "State", "File", title="Archive")
    for month in _with_database(load(), archived):
        table.add_row(*map(Text, _cells(month)))
    Console().print(table)


@app.command("restore", epilog=EXIT_CODES)
def restore_(noun: Noun, month: Month) -> None:
    """Store the rows of a month in the database again. Its file stays."""
    settings, of = load(), _noun(noun)
    at = _month(month)
    done = _given(_with_database(settings, lambda db: restore(db, files(settings), of, at)))
    typer.echo(f"Restored {done.rows:,} {noun} of {month}.")
    if done.dropped:
        typer.echo(f"{done.dropped:,} others belong to dreams that were deleted meanwhile.")


@app.command(epilog=EXIT_CODES)
def query(
    noun: Noun,
    since: Annotated[str, typer.Option("--from", help="Start of the time range, inclusive.")],
    until: Annotated[str, typer.Option("--to", help="End of the time range, exclusive.")],
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE that rows must have; repeatable.")
    ] = None,
) -> None:
    """Print the rows of a time range that are in the archive, as JSON Lines, oldest first."""
    settings, of = load(), _noun(noun)
    window = Window(_time(since, "--from"), _time(until, "--to"), dict(map(_equal, where or [])))

    async def printed(database: Database) -> None:
        async for text in lines(database, files(settings), of, window):
            sys.stdout.buffer.write(text)

    _with_database(settings, printed)


def _with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Raises CommandFailed."""

    async def done() -> T:
        database = Database(url, pool_size=2)
        try:
            return await work(database)
        finally:
            await database.close()

    with migrated_url(settings) as url:
        try:
            return asyncio.run(done())
        except Invalid as error:
            raise CommandFailed(str(error), ExitCode.USAGE) from error
        except (DomainError, Differs, OSError) as error:
            raise CommandFailed(str(error), ExitCode.PROBLEMS) from error


def _given(done: T | None) -> T:
    if done is None:
        raise CommandFailed(WORKING, ExitCode.PROBLEMS)
    return done


def _noun(name: str) -> ArchiveNoun:
    if name not in NOUNS:
        raise CommandFailed(f"There are {', '.join(NOUNS)}, and no {name}.", ExitCode.USAGE)
    return NOUNS[name]


def _month(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise CommandFailed("A month is written as 2025-01.", ExitCode.USAGE) from error


def _time(text: str, option: str) -> datetime:
    try:
        return read_time(text)
    except ValueError as error:
        message = f"{option} must be a time, such as 2025-01-20T09:30:00Z."
        raise CommandFailed(message, ExitCode.USAGE) from error


def _equal(text: str) -> tuple[str, str]:
    column, sign, value = text.partition("=")
    if sign == "":
        raise CommandFailed("--where must be COLUMN=VALUE.", ExitCode.USAGE)
    return column, value


def _cells(month: ArchivedMonth) -> tuple[str, ...]:
    names = {noun.source: noun.name for noun in NOUNS.values()}
    count = "" if month.rows is None else f"{month.rows:,}"
    size = "" if month.bytes is None else f"{month.bytes:,}"
    state = "archived" if month.archived_at else "being archived"
    state = "restored" if month.restored_at else state
    name = names.get(month.source, month.source)
    return name, f"{month.month:%Y-%m}", count, size, state, month.file
