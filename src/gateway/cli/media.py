"""Media: `dreamnet media`, files of attachments."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from db import Database
from db.core.connections.url import ConnectionInfo
from gateway.exit_codes import EXIT_CODES, ExitCode
from gateway.process.database import migrated_url
from gateway.settings import Settings, load

if TYPE_CHECKING:
    from gateway.media.importing import Imported

app = typer.Typer(help="Files of attachments of dreams.", epilog=EXIT_CODES, no_args_is_help=True)


@app.callback()
def group() -> None:
    """So that `import` stays a command of its own."""


@app.command("import", epilog=EXIT_CODES)
def import_(
    folder: Annotated[
        Path, typer.Argument(help="Folder of folders, each named after a dream.", file_okay=False)
    ],
) -> None:
    """Attach the files FOLDER/DREAM/NAME to the dreams with those slugs or IDs.

    Importing a folder again changes nothing: repeat the command to resume after an interruption.
    """
    from gateway.media.importing import described  # imports types of the API, which takes a second

    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder.")
    settings = load()
    with migrated_url(settings) as url:
        done = asyncio.run(_import(url, settings, folder))
    for line in described(done):
        typer.echo(line)
    raise typer.Exit(ExitCode.PROBLEMS if done.refused else ExitCode.OK)


async def _import(url: ConnectionInfo, settings: Settings, folder: Path) -> "Imported":
    from gateway.media.importing import import_folder
    from gateway.media.store import Media

    database = Database(url, pool_size=1)
    try:
        return await import_folder(database, Media(settings), folder)
    finally:
        await database.close()
