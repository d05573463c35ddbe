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
from db.core.schema.revisions import Phase
from gateway import log_format
from gateway.cli import (
    api_keys,
    archive,
    backup,
    catalogue,
    clients,
    import_files,
    media,
    migrate,
    rollups,
)
from gateway.cli.doctor import report
from gateway.exit_codes import EXIT_CODES, CommandFailed, ExitCode
from gateway.process.startup_message import print_event
from gateway.settings import SettingsRefused, load, logs_as_json

T = TypeVar("T")

log = structlog.get_logger()

app = typer.Typer(
    help="GraphQL API of DreamNet over PostgreSQL. Settings are environment variables; `dreamnet "
    "doctor` shows them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
migrations = typer.Typer(
    help="Migrate the tables of the database to the revision that this version requires.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)
app.add_typer(migrations, name="migrate")
app.add_typer(api_keys.app, name="keys")
app.add_typer(archive.app, name="archive")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(media.app, name="media")


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
def serve(
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that serve, instead of DREAMNET_WORKERS.", min=1, max=64),
    ] = None,
) -> None:
    """Serve the API until Ctrl-C.

    Without DATABASE_URL, start an embedded PostgreSQL in DREAMNET_DATA_DIR, and migrate it.
    """
    as_json = logs_as_json()
    log_format.configure(as_json, "info")
    from gateway.process import serve

    try:
        serve.serve(load() if workers is None else load().model_copy(update={"workers": workers}))
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
        typer.Argument(help="Files of JSON Lines, which may be gzipped."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad line, which is not stored.")
    ] = False,
    rejects_dir: Annotated[
        Path,
        typer.Option(help="Folder of FILE.rejects.jsonl.", exists=True, file_okay=False),
    ] = Path(),
    legacy_generations: Annotated[
        str | None,
        typer.Option(
            help="Generations of the previous system: a CSV file, or the URL of a PostgreSQL."
        ),
    ] = None,
) -> None:
    """Import dreams, AI models, AI tests, events, metrics and agent reports from files.

    Bad lines are listed and written to FILE.rejects.jsonl; all others are imported. Importing a
    file again changes nothing: repeat the command to resume after an interruption. The format is in
    docs/importing.md.
    """
    if not files and not legacy_generations:
        raise typer.BadParameter("Give at least one file, or --legacy-generations.")
    with import_files.legacy(legacy_generations) as older:
        sources = [*older, *map(import_files.opened, files or [])]
        raise typer.Exit(import_files.run(load(), sources, rejects_dir, strict=strict))


@app.command(epilog=EXIT_CODES)
def schema(
    check: Annotated[
        Path | None, typer.Option(help="File to compare with; exit code 1 if it differs.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="File to write to.")] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            help="Folder of released schemas; exit code 1 if clients of the newest would break.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Print the GraphQL schema, compare it with a file or with releases, or write it to a file."""
    from graph.schema import schema as built  # takes a second

    text = built.as_str() + "\n"
    if check and _read(check) != text:
        raise CommandFailed(
            f"{check} is not the schema of the code: run `make schema`.", ExitCode.PROBLEMS
        )
    if since:
        from gateway.cli.schema_changes import compare  # imports GraphQL

        typer.echo(compare(since, built._schema))
    if write:
        _write(write, text)
    if not check and not write and not since:
        typer.echo(text, nl=False)


@app.command(epilog=EXIT_CODES)
def export(
    noun: Annotated[
        str,
        typer.Argument(
            help="models, dreams, tests, events, metrics, agentReports, auditEntries or features."
        ),
    ],
    to: Annotated[str, typer.Option(help="File, s3://BUCKET/KEY, or - for standard output.")],
    format: Annotated[str, typer.Option(help="jsonl, csv or parquet.")] = "jsonl",
    where: Annotated[
        str | None, typer.Option(help="Filter of the API as JSON, such as its DreamFilter.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="Continue after the row with this `id`.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only rows until this time, such as that of a first part.")
    ] = None,
) -> None:
    """Export all rows of one snapshot, as `dreamnet import` reads them.

    The formats and columns are in docs/export.md.
    """
    from db.exporter import Format
    from gateway.cli import export as exporting  # builds the schema, which takes a second

    if format not in list(Format):
        raise CommandFailed(f"--format must be one of {', '.join(Format)}.", ExitCode.USAGE)
    exporting.run(load(), exporting.Wanted(noun, Format(format), where, to, after, until))


@app.command(epilog=EXIT_CODES)
def doctor(
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare stored sums and progress with the rows.")
    ] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="First compute both again.")] = False,
) -> None:
    """Show versions, settings, migrations and disk space; problems, and how to fix them.

    --verify and --rebuild read every test, event and metric. Gateways may run meanwhile.
    """
    settings = load()
    if rebuild:
        rollups.rebuild(settings)
    raise typer.Exit(report(settings, verify=verify))


for command in (clients.work, clients.mcp, backup.backup, backup.restore):
    app.command(epilog=EXIT_CODES)(command)


@migrations.command(epilog=EXIT_CODES)
def up(
    revision: Annotated[str | None, typer.Argument(help="Target revision.")] = None,
    phase: Annotated[
        Phase | None,
        typer.Option(help="pre: before the gateways are replaced; post: afterwards."),
    ] = None,
) -> None:
    """Migrate up to the newest revision, to the given one, or to the end of a phase."""
    migrate.up(load(), revision, phase)


@migrations.command(epilog=EXIT_CODES)
def down(
    revision: Annotated[str, typer.Argument(help='Target revision; "base" drops every table.')],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Migrate down to a revision, after listing the tables and columns that it drops.

    Their data is lost. Without a terminal, --yes is required.
    """
    migrate.down(load(), revision, sure=yes)


@migrations.command(epilog=EXIT_CODES)
def current() -> None:
    """Show the revision of the database; exit code 1 if this version does not support it."""
    raise typer.Exit(migrate.current(load()))


@migrations.command(epilog=EXIT_CODES)
def check() -> None:
    """List differences between the tables and the code; exit code 1 if there are any."""
    raise typer.Exit(migrate.check(load()))


@migrations.command(epilog=EXIT_CODES)
def new(
    name: Annotated[str, typer.Argument(help="What the migration does, in a few words.")],
) -> None:
    """Write a migration from the differences between the code and the newest migration.

    For developers: it requires a checkout of the project.
    """
    from db.core.schema.autogenerate import NoCheckout, new_migration

    try:
        new_migration(name)
    except NoCheckout:
        raise CommandFailed(
            "Migrations are written in a checkout of the project; this is an installed copy.",
            ExitCode.USAGE,
        ) from None
    typer.echo("Review it: it was generated and may need corrections.")


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
