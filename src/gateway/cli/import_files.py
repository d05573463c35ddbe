"""Import files: `dreamnet import`, with its progress bar and its report."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from db import Database
from db.core.connections.libpq_parameters import InvalidParameter
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.timeouts import Timeouts
from db.events import severities
from db.importer import (
    Counts,
    FileReport,
    OnProgress,
    Progress as Step,
    Report,
    Source,
    import_files,
)
from db.importer.legacy import Generations, NotLegacy, write_lines
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.libpq_variables import libpq_variables
from gateway.process.database import describe_database, is_missing, migrated_url
from gateway.settings import Settings

PROGRESS_LOGS = "progress logs"
SHOWN_REJECTS = 5


def run(settings: Settings, files: list[Source], rejects_dir: Path, *, strict: bool) -> ExitCode:
    """Import files and prints where to and a report; PROBLEMS when a line was rejected. Raises
    Stopped."""
    console = Console(highlight=False, markup=False)
    severities.use(settings.severity_rules)
    new = "a new database, " if is_missing(settings) else ""
    with migrated_url(settings) as url:
        console.print(f"Importing into {new}{describe_database(settings, url)}.", soft_wrap=True)
        with _progress_bars(console) as step:
            report = asyncio.run(_import(url, settings, files, rejects_dir, strict, step))
    _print(console, report)
    return ExitCode.PROBLEMS if report.failed or report.stopped else ExitCode.OK


def opened(path: Path, kind: type[Source] = Source) -> Source:
    """A file to import. Raises CommandFailed when it cannot be read."""
    try:
        return kind(path)
    except OSError as error:
        raise CommandFailed(
            f"{path} cannot be read: {error.strerror or error}.", ExitCode.USAGE
        ) from error


@contextmanager
def legacy(source: str | None) -> Iterator[list[Source]]:
    """The generations of a CSV file or of a database URL, as a file to import, within the context.
    Raises CommandFailed if there are none."""
    try:
        if source is None:
            yield []
        elif "://" not in source:
            yield [opened(Path(source), Generations)]
        else:
            with TemporaryDirectory() as folder:
                file = Path(folder) / "generations.jsonl"
                asyncio.run(write_lines(_database(source), file))
                yield [opened(file)]
    except NotLegacy as error:
        raise CommandFailed(
            f"The generations cannot be read: {error}", ExitCode.PROBLEMS
        ) from error


def _database(text: str) -> ConnectionInfo:
    try:
        return connection_info(text, libpq_variables())
    except InvalidParameter as error:
        message = f"The URL of --legacy-generations is invalid: {error}."
        raise CommandFailed(message, ExitCode.USAGE) from error


async def _import(
    url: ConnectionInfo,
    settings: Settings,
    files: list[Source],
    rejects_dir: Path,
    strict: bool,
    step: OnProgress,
) -> Report:
    timeouts = Timeouts(other=settings.import_timeout_seconds)
    database = Database(url, settings.pool_size, lock_seconds=None, timeouts=timeouts)
    try:
        return await import_files(
            database, files, strict=strict, rejects_dir=rejects_dir, progress=step
        )
    finally:
        await database.close()


@contextmanager
def _progress_bars(console: Console) -> Iterator[OnProgress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with Progress(*columns, TextColumn("{task.fields[rate]}"), console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def step(at: Step) -> None:
            name = at.path.name if at.path else PROGRESS_LOGS
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=at.total, rate="")
            rate = f"{at.rows:,} rows, {at.rows_per_second:,.0f} a second"
            bars.update(tasks[name], completed=at.done, total=at.total, rate=rate)

        yield step


def _print(console: Console, report: Report) -> None:
    table = Table("File", "Kind", "Inserted", "Updated", "Unchanged")
    for file in report.files:
        for kind, counts in sorted(file.kinds.items()):
            table.add_row(file.path.name, kind, *_numbers(counts))
    table.add_row("", PROGRESS_LOGS, *_numbers(report.progress_logs))
    console.print(table)
    for file in report.files:
        if file.empty:
            console.print(f"{file.path.name} has nothing to import.", soft_wrap=True)
        _print_rejects(console, file)
    console.print(_verdict(report), soft_wrap=True)


def _numbers(counts: Counts) -> Iterator[str]:
    return (f"{count:,}" for count in (counts.inserted, counts.updated, counts.unchanged))


def _print_rejects(console: Console, file: FileReport) -> None:
    for reject in file.rejects[:SHOWN_REJECTS]:
        line = f"{file.path.name}, line {reject.line}: {reject.reason}"
        console.print(line, soft_wrap=True)
    if file.rejected:
        lines = "line" if file.rejected == 1 else "lines"
        where = f", all of them in {file.rejects_path}" if file.rejects_path else ""
        console.print(
            f"{file.path.name}: {file.rejected:,} {lines} rejected{where}", soft_wrap=True
        )


def _verdict(report: Report) -> str:
    if report.unwritten:
        return (
            f"Stopped: {report.unwritten}. Run it again in a writable folder, or set "
            "--rejects-dir to one."
        )
    if report.stopped:
        return "Stopped at the first bad line; nothing after it was imported."
    if report.changed:
        return f"Done in {report.seconds:.1f} s."
    there = not report.failed and not all(file.empty for file in report.files)
    everything = ": everything was imported before" if there else ""
    return f"Nothing changed{everything}. {report.seconds:.1f} s."
