"""Exporter: rows of the database as lines, of one snapshot, in the fields of the import format."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from db.core.session.database import Database
from db.exporter.features import Features
from db.exporter.formats import Format as Format, encoder
from db.exporter.nouns import (
    AGENT_REPORTS,
    AUDIT_ENTRIES,
    DREAMS,
    EVENTS,
    METRICS,
    MODELS,
    TESTS,
    Exportable as Exportable,
    ExportNoun as ExportNoun,
    Part as Part,
)

NOUNS: Mapping[str, Exportable] = {
    "models": MODELS,
    "dreams": DREAMS,
    "tests": TESTS,
    "events": EVENTS,
    "metrics": METRICS,
    "agentReports": AGENT_REPORTS,
    "auditEntries": AUDIT_ENTRIES,
    "features": Features(),
}
ROWS_AT_ONCE = 500  # of at most some 300 KB
CHUNK_BYTES = 256 * 1024


@dataclass(slots=True)
class Progress:
    """The number of rows that were exported, and the cursor of the last one."""

    rows: int = 0
    cursor: str | None = None


async def chunks(
    database: Database,
    noun: Exportable,
    format: Format,
    part: Part,
    progress: Progress | None = None,
) -> AsyncGenerator[bytes, None]:
    """The file of all rows of one snapshot, in pieces. Raises as sessions do, and Invalid for the
    cursor of another noun, and without PyArrow where it is needed."""
    file, done = encoder(format, noun, is_continued=part.after is not None), progress or Progress()
    pending = [file.begin()]
    async with database.snapshot() as session:
        async for statement in noun.statements(session, part, format.print):
            async for rows in session.batches(statement, ROWS_AT_ONCE):
                pending.append(await file.add([line for _, line in rows]))
                done.rows, done.cursor = done.rows + len(rows), rows[-1][0]
                if sum(map(len, pending)) >= CHUNK_BYTES:
                    yield b"".join(pending)
                    pending = []
    pending.append(await file.end())
    yield b"".join(pending)
