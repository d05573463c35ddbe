"""Importing: files of a folder, as attachments of the dreams that its folders are named after."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

import graph.dreams  # noqa: F401  registers the IDs of dreams
from db import Database, attachments
from db.core.errors import DomainError, Invalid, NotFound
from db.core.session.audit_context import AuditContext
from db.core.table import AnySelect
from db.dreams import Dream
from gateway.media.store import Media, checksum
from graph.core.types.node import parse_id

OPERATION = AuditContext("importMedia")
EXTENSIONS = {".md": "text/markdown", ".webp": "image/webp", ".csv": "text/csv"}
NO_DREAM = "There is no dream with this slug or ID."


@dataclass(slots=True)
class Imported:
    """The number of files that were stored now or before, and the others with the reason."""

    stored: int = 0
    unchanged: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)


class File(NamedTuple):
    """A file of this machine that may be attached."""

    path: Path
    content_type: str
    size: int
    sha256: str


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a folder and of its folders."""
    yield from sorted(each for each in (*folder.glob("*"), *folder.glob("*/*")) if each.is_file())


async def import_folder(database: Database, media: Media, folder: Path) -> Imported:
    """Attach each file `DREAM/NAME` to the dream with that slug or ID, unless it has a file of the
    same name and content."""
    done = Imported()
    for path in files_of(folder):
        try:
            if await _attach(database, media, _checked(media, path, folder)):
                done.stored += 1
            else:
                done.unchanged += 1
        except DomainError as error:
            done.refused.append((path, str(error)))
    return done


def _checked(media: Media, path: Path, folder: Path) -> File:
    """Raises Invalid."""
    if path.parent == folder:
        raise Invalid("Put it into a folder that is named after its dream.")
    content_type, size = _content_type(path), path.stat().st_size
    if content_type not in media.content_types:
        raise Invalid(f"Files of the type {content_type} are not accepted.")
    if not 0 < size <= media.max_bytes:
        raise Invalid(f"A file has 1 to {media.max_bytes:,} bytes; this one has {size:,}.")
    if (sha256 := checksum(path, content_type)) is None:
        raise Invalid(f"Its content is not {content_type}.")
    return File(path, content_type, size, sha256)


async def _attach(database: Database, media: Media, file: File) -> bool:
    """False if the dream has it. Raises Invalid, NotFound."""
    async with database.unrestricted().write(OPERATION) as session:
        dream = await session.record(Dream, _named(file.path.parent.name).with_for_update())
        if dream is None:
            raise NotFound(NO_DREAM)
        if await attachments.holds(session, dream, file.path.name, file.sha256):
            return False
        values = {"name": file.path.name, **file._asdict()}
        del values["path"]
        row = await attachments.create(session, dream, media.max_per_dream, **values)
        await media.write(row.id, file.path)
        await attachments.complete(session, row)
    return True


def _named(name: str) -> AnySelect:
    try:
        return Dream.select().where(Dream.id == parse_id(name, Dream)[1])
    except Invalid:
        return Dream.select().where(Dream.slug == name)


def _content_type(path: Path) -> str:
    suffix = path.suffix.lower()
    return EXTENSIONS.get(suffix) or guess_type(path.name)[0] or "application/octet-stream"


def described(done: Imported) -> Iterator[str]:
    for path, reason in done.refused:
        yield f"{path}: {reason}"
    yield f"{done.stored} stored, {done.unchanged} unchanged, {len(done.refused)} refused"
