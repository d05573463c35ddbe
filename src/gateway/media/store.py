"""Store: the files of attachments in an object store.

A file is uploaded to one key, and copied to another once its attachment is completed: the copy is
what is checked and read, so that a signed address cannot change it later.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

from gateway.auth.pepper import derived_secret
from gateway.media.content_types import Inspection
from gateway.media.signing import UrlSigner
from gateway.settings import Settings
from gateway.settings.media import split
from graph.core.media import File, Upload

if TYPE_CHECKING:
    from obstore import GetOptions

UPLOAD = timedelta(minutes=15)
DOWNLOAD = timedelta(minutes=5)
CHUNK = 1024 * 1024  # bytes

NO_FILE = "No file was uploaded: send it as `upload` says, and complete the attachment then."
WRONG = "The uploaded file differs from what was announced in its {}: upload it again."


class Media:
    """The files of a gateway."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.max_bytes = settings.media_max_bytes
        self.max_per_dream = settings.media_max_per_dream
        self.content_types: Collection[str] = frozenset(split(settings.media_types))

    @cached_property
    def objects(self) -> ObjectStore:
        if self.settings.media_url is not None:
            return from_url(self.settings.media_url)
        return LocalStore(folder(self.settings), mkdir=True)

    @cached_property
    def signer(self) -> UrlSigner:
        return UrlSigner(derived_secret(self.settings, "media"))

    def upload(self, file: File, now: datetime) -> Upload:
        headers, until = {"content-type": file.content_type}, now + UPLOAD
        if isinstance(self.objects, S3Store | GCSStore | AzureStore):
            url = obstore.sign(self.objects, "PUT", uploaded(file.id), UPLOAD)
            return Upload(url, "PUT", headers, until)
        return Upload(self.signer.url("upload", file.id, until), "POST", headers, until)

    def download_url(self, id: UUID, now: datetime) -> str:
        return self.signer.url("download", id, now + DOWNLOAD)

    async def receive(self, id: UUID, chunks: AsyncIterator[bytes]) -> None:
        """Store an upload. If `chunks` fails, nothing is stored."""
        await self.objects.put_async(uploaded(id), chunks, chunk_size=CHUNK, max_concurrency=1)

    async def accept(self, file: File) -> str | None:
        try:
            size = (await self.objects.head_async(uploaded(file.id)))["size"]
            if size == file.size:
                await self.objects.copy_async(uploaded(file.id), stored(file.id))
        except FileNotFoundError:
            return NO_FILE
        wrong = "size" if size != file.size else await self._difference(file)
        if wrong is not None:
            await self.delete([file.id])
            return WRONG.format(wrong)
        await self._remove([uploaded(file.id)])
        return None

    async def read(self, id: UUID, within: tuple[int, int] | None = None) -> AsyncIterator[bytes]:
        """A file, or its bytes from one place on and before another. Raises FileNotFoundError."""
        options: GetOptions = {} if within is None else {"range": within}
        found = await self.objects.get_async(stored(id), options=options)
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def write(self, id: UUID, path: Path) -> None:
        """Store a file of this machine as that of an attachment."""
        await self.objects.put_async(stored(id), path)

    async def delete(self, ids: Sequence[UUID]) -> None:
        await self._remove([key for id in ids for key in (uploaded(id), stored(id))])

    async def _difference(self, file: File) -> str | None:
        found = Inspection(file.content_type)
        async for chunk in self.read(file.id):
            found.update(chunk)
        differs = {
            "size": found.size != file.size,
            "checksum": found.sha256 != file.sha256,
            "type": not found.is_of_type(),
        }
        return next((name for name, wrong in differs.items() if wrong), None)

    async def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            with suppress(FileNotFoundError):
                await self.objects.delete_async(key)


def folder(settings: Settings) -> Path:
    return (settings.data_dir / "media").resolve()


def uploaded(id: UUID) -> str:
    return f"uploads/{id}"


def stored(id: UUID) -> str:
    return f"attachments/{id}"


def checksum(path: Path, content_type: str) -> str | None:
    """That of a file of this machine; None if the file is not of its media type."""
    found = Inspection(content_type)
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            found.update(chunk)
    return found.sha256 if found.is_of_type() else None
