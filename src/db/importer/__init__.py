"""Importer: import files of newline-delimited JSON; docs/importing.md has the format."""

from collections.abc import Iterable
from pathlib import Path

from db.core.ingest.statements import Counts as Counts
from db.core.session.database import Database
from db.importer.lines import Source as Source
from db.importer.load import Import
from db.importer.report import (
    FileReport as FileReport,
    OnProgress as OnProgress,
    Progress as Progress,
    Reject as Reject,
    Report as Report,
)


async def import_files(
    database: Database,
    files: Iterable[Path | Source],
    *,
    strict: bool = False,
    rejects_dir: Path = Path(),
    progress: OnProgress = lambda _: None,
) -> Report:
    """Import files in order, then compute the progress logs of their dreams.

    Invalid lines are written to `<name>.rejects.jsonl` in `rejects_dir`; if that fails, the import
    ends. With `strict` the first invalid line ends it, and its batch is not stored. Importing again
    changes nothing, and resumes an import. Raises OSError, before anything is stored, if a file
    cannot be opened.
    """
    sources = [file if isinstance(file, Source) else Source(file) for file in files]
    return await Import(database, rejects_dir, strict, progress).run(sources)
