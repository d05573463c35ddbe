"""Importer: files of newline-delimited JSON into the database; docs/importing.md has the format."""

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
    """Imports files in the order given, then computes the progress logs of the dreams tested.

    Bad lines go to `<name>.rejects.jsonl` in `rejects_dir`; where that cannot be written, the
    import ends. With `strict` the first bad line ends it, and nothing of its batch is stored.
    Running it again changes nothing, and is how to resume. Raises OSError, before anything is
    stored, when a file cannot be opened.
    """
    sources = [file if isinstance(file, Source) else Source(file) for file in files]
    return await Import(database, rejects_dir, strict, progress).run(sources)
