"""Backup: `dreamnet backup` and `dreamnet restore`, of the embedded database."""

from datetime import datetime
from typing import Annotated

import typer

from db.core.embedded import Backups, Embedded, restore as restored
from db.core.values.rfc3339 import print_time, read_time
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.process.database import database_url, embedded
from gateway.settings import Settings, load

LATEST = "latest"
OWN = (
    "DATABASE_URL is set: this command is for the embedded database. docs/backup.md has the "
    "commands for your own."
)
NO_FOLDER = "Set DREAMNET_BACKUP_DIR to a folder on another disk, and start the gateway with it."


def backup(
    full: Annotated[
        bool, typer.Option("--full", help="Copy everything, not what changed since the last copy.")
    ] = False,
) -> None:
    """Copy the embedded database into DREAMNET_BACKUP_DIR, while gateways run.

    The log of what is written afterwards is kept there, too, so that later times can be restored.
    """
    settings = load()
    _, backups = _parts(settings)
    with database_url(settings):
        path = backups.take(embedded(settings).server, full=full)
    typer.echo(f"Backed up to {path}.")


def restore(
    to: Annotated[
        str, typer.Option(help="Time, such as 2026-11-20T09:30:00Z, or latest for all of the log.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace the embedded database by its state at a time. What was committed until then is in it.

    No gateway may run. The present data is kept in a folder beside it. Subscribers are reset.
    """
    settings, at = load(), _time(to)
    server, backups = _parts(settings)
    if not yes:
        typer.confirm(f"Replace the database in {server.folder} by that of {to}?", abort=True)
    before = restored(server, backups, at)
    typer.echo(f"Restored the database in {server.folder} to {print_time(at) if at else LATEST}.")
    if before is not None:
        typer.echo(f"The data of before is in {before}; delete it when you no longer need it.")


def _parts(settings: Settings) -> tuple[Embedded, Backups]:
    if settings.connection is not None:
        raise CommandFailed(OWN, ExitCode.USAGE)
    server = embedded(settings)
    if server.backups is None:
        raise CommandFailed(NO_FOLDER, ExitCode.USAGE)
    return server, server.backups


def _time(text: str) -> datetime | None:
    try:
        return None if text == LATEST else read_time(text)
    except ValueError as error:
        message = "--to must be a time, such as 2026-11-20T09:30:00Z, or latest."
        raise CommandFailed(message, ExitCode.USAGE) from error
