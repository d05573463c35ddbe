"""Command line: `dreamnet` and its commands."""

import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn, TypeVar

import structlog
import typer

from db.core.embedded import EmbeddedFailed
from db.core.error_facts import rendered
from db.core.schema.autogenerate import NoCheckout, new_migration
from gateway import log_format
from gateway.cli import api_keys, import_files, migrate
from gateway.cli.doctor import report
from gateway.exit_codes import EXIT_CODES, CommandFailed, ExitCode
from gateway.process.startup_message import print_event
from gateway.settings import SettingsRefused, load, logs_as_json

T = TypeVar("T")

log = structlog.get_logger()

app = typer.Typer(
    help="DreamNet's GraphQL API over PostgreSQL. Settings are environment variables; "
    "`dreamnet doctor` lists them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
migrations = typer.Typer(
    help="Bring the tables of the database to the revision this version works with.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)
app.add_typer(migrations, name="migrate")
app.add_typer(api_keys.app, name="keys")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dreamnet {version('dreamnet-gateway')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Options of `dreamnet` itself; typer shows the help of `app` instead of this line."""


def main() -> NoReturn:
    """Run a command; print its failure as one sentence."""
    signal.signal(signal.SIGTERM, _interrupt)
    log_format.configure(as_json=False, level="warning")  # until a command reads the settings
    log_format.guard_process()
    try:
        app()
    except Exception as error:
        message, code = _message_and_exit_code(error)
        typer.echo(message, err=True)
        sys.exit(code)
    sys.exit(ExitCode.OK)


@app.command(epilog=EXIT_CODES)
def serve() -> None:
    """Serve the API until Ctrl-C.

    Without DATABASE_URL an embedded PostgreSQL is started in DREAMNET_DATA_DIR and migrated.
    """
    as_json = logs_as_json()
    log_format.configure(as_json, "info")
    from gateway.process import (
        serve,  # the schema takes a second to build, which no other command needs
    )

    try:
        serve.serve(load())
    except KeyboardInterrupt:
        print_event("stopped") if as_json else typer.echo("Stopped.")
    except Exception as error:
        if not as_json:
            raise
        reason, code = _message_and_exit_code(error)
        log.critical("the gateway cannot serve", reason=reason, exit_code=code.value)
        raise typer.Exit(code) from None


@app.command("import", epilog=EXIT_CODES)
def import_(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Lines of JSON, gzipped or not."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad line, storing none of it.")
    ] = False,
    rejects_dir: Annotated[
        Path,
        typer.Option(help="Where FILE.rejects.jsonl is written.", exists=True, file_okay=False),
    ] = Path(),
    legacy_generations: Annotated[
        str | None,
        typer.Option(help="Old generations: a CSV file, or the URL of their PostgreSQL."),
    ] = None,
) -> None:
    """Import dreams, AI models, AI tests, events, metrics and agent reports from files.

    Bad lines are listed and written to FILE.rejects.jsonl; the rest is imported. Running it again
    changes nothing, and is how to resume after an interruption. docs/importing.md has the format.
    """
    if not files and not legacy_generations:
        raise typer.BadParameter("Name at least one file.")
    with import_files.legacy(legacy_generations) as older:
        sources = [*older, *map(import_files.opened, files or [])]
        raise typer.Exit(import_files.run(load(), sources, rejects_dir, strict=strict))


@app.command(epilog=EXIT_CODES)
def schema(
    check: Annotated[
        Path | None, typer.Option(help="Compare with this file; exit code 1 if they differ.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> None:
    """Print the GraphQL schema, or compare it with a file, or write it to one."""
    from graph.schema import schema as built  # takes a second, which no other command needs

    text = built.as_str() + "\n"
    if check and _read(check) != text:
        raise CommandFailed(
            f"{check} is not the schema of the code: run `make schema`.", ExitCode.PROBLEMS
        )
    if write:
        _write(write, text)
    if not check and not write:
        typer.echo(text, nl=False)


@app.command(epilog=EXIT_CODES)
def doctor() -> None:
    """Show versions, settings, migrations and disk, what is wrong and how to mend it."""
    raise typer.Exit(report(load()))


@migrations.command(epilog=EXIT_CODES)
def up(revision: Annotated[str, typer.Argument(help="Where to stop.")] = "head") -> None:
    """Migrate up to the newest revision, or to the one named."""
    migrate.up(load(), revision)


@migrations.command(epilog=EXIT_CODES)
def down(
    revision: Annotated[str, typer.Argument(help='Where to stop; "base" drops every table.')],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Migrate down to a revision, after showing what it drops.

    What is dropped is gone, rows included. Without a terminal, --yes is needed.
    """
    migrate.down(load(), revision, sure=yes)


@migrations.command(epilog=EXIT_CODES)
def current() -> None:
    """Show the revision the database is at; exit code 1 if this version does not work with it."""
    raise typer.Exit(migrate.current(load()))


@migrations.command(epilog=EXIT_CODES)
def check() -> None:
    """List how the tables differ from those the code declares; exit code 1 if they do."""
    raise typer.Exit(migrate.check(load()))


@migrations.command(epilog=EXIT_CODES)
def new(name: Annotated[str, typer.Argument(help="What it does, in a few words.")]) -> None:
    """Write a migration from how the tables in the code differ from the newest one; for developers.

    This needs a checkout of the project.
    """
    try:
        new_migration(name)
    except NoCheckout:
        raise CommandFailed(
            "Migrations are written in a checkout of the project; this is an installed copy.",
            ExitCode.USAGE,
        ) from None
    typer.echo("Read it and correct it: it is a guess.")


def _read(path: Path) -> str | None:
    """The content of a file; None if it does not exist. Raises CommandFailed."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{path} cannot be read: {_reason(error)}.", ExitCode.USAGE) from error


def _write(path: Path, text: str) -> None:
    """Raises CommandFailed."""
    try:
        path.write_text(text)
    except OSError as error:
        raise CommandFailed(
            f"{path} cannot be written: {_reason(error)}.", ExitCode.USAGE
        ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _interrupt(_: int, __: FrameType | None) -> None:
    """Handle SIGTERM as Ctrl-C, so that the embedded database is stopped too."""
    raise KeyboardInterrupt


def _message_and_exit_code(error: Exception) -> tuple[str, ExitCode]:
    match error:
        case SettingsRefused():
            return str(error), ExitCode.USAGE
        case CommandFailed():
            return str(error), error.code
        case EmbeddedFailed():
            return str(error), ExitCode.DATABASE
    return rendered(error), ExitCode.PROBLEMS
