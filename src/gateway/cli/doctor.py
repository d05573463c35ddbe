"""Doctor: `dreamnet doctor`, the state of an installation and how to fix it."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.core.connections.libpq_parameters import VARIABLES
from db.core.connections.pooler import Pooler
from db.core.embedded import EmbeddedFailed
from db.core.rollup.verification import Verified
from db.core.schema import migrate, revisions
from db.core.schema.health import Inspection
from db.progress.pending import Waiting
from gateway.cli import rollups, work
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.libpq_variables import libpq_variables
from gateway.process.database import database_url, direct_url, examine, is_missing, why_not_ready
from gateway.settings import Settings

LEAST_FREE_BYTES = 1024**3
POOLERS = {
    Pooler.NONE: "none",
    Pooler.SESSION: "in session mode",
    Pooler.PREPARING: "in transaction mode, with prepared statements",
    Pooler.TRANSACTION: "in transaction mode or unknown, without prepared statements",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `remedy` says what is wrong and how to fix it, else None."""

    subject: str
    state: str
    remedy: str | None = None


def report(settings: Settings, *, verify: bool = False) -> ExitCode:
    findings = list(checks(settings, verify=verify))
    table = Table("", "Subject", "State", "What to do", title="DreamNet gateway")
    for finding in findings:
        table.add_row(*_row(finding))
    Console().print(table)
    return ExitCode.PROBLEMS if any(finding.remedy for finding in findings) else ExitCode.OK


def checks(settings: Settings, *, verify: bool = False) -> Iterator[Finding]:
    yield Finding("gateway", f"{version('dreamnet-gateway')}, {settings.env}")
    yield from _settings(settings)
    yield _disk(settings)
    try:
        yield from _database(settings, verify)
    except (CommandFailed, EmbeddedFailed) as stopped:
        yield Finding("database", "not usable", str(stopped))


def _settings(settings: Settings) -> Iterator[Finding]:
    for name in type(settings).model_fields:
        yield Finding(settings.variable(name), _without_passwords(settings, name))
    if names := sorted(VARIABLES[keyword] for keyword in libpq_variables()):
        yield Finding("libpq", f"{', '.join(names)} set")
    for name in _unknown_variables():
        yield Finding(name, "unknown", "There is no such setting; check its spelling.")


def _without_passwords(settings: Settings, name: str) -> str:
    if name == "database_url" and settings.database_url is None:
        return f"not set: {settings.connection or 'embedded'}"
    places = {"database_url": settings.connection, "direct_url": settings.direct_connection}
    return str(places[name] if name in places else getattr(settings, name))


def _unknown_variables() -> list[str]:
    known = {Settings.variable(name) for name in Settings.model_fields} | {work.KEY}
    return sorted(name for name in os.environ if name.startswith("DREAMNET_") and name not in known)


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir.resolve()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    remedy = "Free at least 1 GB." if free < LEAST_FREE_BYTES else None
    if settings.development and not _is_writable(existing):
        remedy = "Set DREAMNET_DATA_DIR to a writable folder."
    return Finding("disk", f"{free / 1024**3:.1f} GB free at {existing}", remedy)


def _is_writable(folder: Path) -> bool:
    try:
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _database(settings: Settings, verify: bool) -> Iterator[Finding]:
    if is_missing(settings):
        yield Finding("database", "not created yet: `dreamnet serve` creates it")
        return
    with database_url(settings) as url:
        found = examine(url)
        problem = why_not_ready(found)
        remedy = f"The database {problem}" if problem else None
        yield Finding("database", f"PostgreSQL {found.version} {url}", remedy)
        yield Finding("pooler", POOLERS[found.pooler])
        yield from _direct_connection(settings, found)
        yield Finding("migrations", f"at {found.revision or 'none'}, newest is {revisions.head()}")
        if not problem:
            yield _tables(asyncio.run(migrate.check(url)))
        if verify and not problem:
            yield from map(_rollup, rollups.verify(url))
            yield _progress(rollups.verify_progress(url))
            yield _corrections(rollups.progress_waiting(url))


def _direct_connection(settings: Settings, through: Inspection) -> Iterator[Finding]:
    if settings.direct_connection is None:
        if not through.pooler.keeps_sessions:
            needs = "`dreamnet migrate` and wakeups need DREAMNET_DIRECT_URL"
            yield Finding("direct", f"not set; {needs}")
        return
    with direct_url(settings) as url:
        found = examine(url)
    remedy = None
    if found.identity != through.identity:
        remedy = "DREAMNET_DIRECT_URL is another database than DATABASE_URL."
    elif not found.pooler.keeps_sessions:
        remedy = "DREAMNET_DIRECT_URL is a connection pooler: set it to PostgreSQL itself."
    yield Finding("direct", f"PostgreSQL {found.version} {url}", remedy)


def _tables(differences: list[str]) -> Finding:
    if not differences:
        return Finding("tables", "match the code")
    return Finding("tables", f"{len(differences)} differences", "Run `dreamnet migrate check`.")


def _rollup(verified: Verified) -> Finding:
    subject, wrong = f"rollup {verified.rollup.name}", verified.wrong
    if not wrong:
        return Finding(subject, f"{verified.closed:,} closed periods equal the rows")
    shown = ", ".join(f"{width.lower()} {period:%Y-%m-%d %H:%M}" for width, period in wrong[:3])
    state = f"{len(wrong):,} periods differ from the rows: {shown}"
    return Finding(subject, state, "Run `dreamnet doctor --rebuild`.")


def _progress(differing: int) -> Finding:
    if not differing:
        return Finding("progress of dreams", "equals the newest logs")
    state = f"{differing:,} dreams do not show their newest progress log"
    return Finding("progress of dreams", state, "Run `dreamnet doctor --rebuild`.")


def _corrections(waiting: Waiting) -> Finding:
    if not waiting.dreams:
        return Finding("progress logs", "none waits for a correction")
    state = f"late tests left those of {waiting.dreams:,} dreams to correct"
    remedy = "Start a gateway, or run `dreamnet doctor --rebuild`." if waiting.overdue else None
    return Finding("progress logs", state, remedy)


def _row(finding: Finding) -> tuple[Text, ...]:
    mark = Text("!", "bold red") if finding.remedy else Text("✓", "green")
    return mark, Text(finding.subject), Text(finding.state), Text(finding.remedy or "")
