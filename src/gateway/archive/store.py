"""Store: the files of the archive, in a folder or in a bucket of an object store."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from db.archive import Files
from db.core.embedded.files import sync_folder
from gateway.settings import Settings
from gateway.settings.archive import is_bucket

PART_BYTES = 8 * 1024 * 1024  # of an object; S3 accepts 10,000 parts
CHUNK = 1024 * 1024  # bytes


class FolderFiles:
    """Files of a folder, which must outlive the machine's disk: copy it, or use a bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, name: str, chunks: AsyncGenerator[bytes, None]) -> None:
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            async for chunk in chunks:
                file.write(chunk)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        part.replace(path)
        for folder in (path.parent, self.folder):
            sync_folder(folder)

    async def fetch(self, name: str, path: Path) -> None:
        await asyncio.to_thread(path.symlink_to, self.folder / name)


class BucketFiles:
    """Objects of a bucket. An upload that fails leaves no object."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects

    async def put(self, name: str, chunks: AsyncGenerator[bytes, None]) -> None:
        try:
            await self.objects.put_async(name, chunks, chunk_size=PART_BYTES, max_concurrency=2)
        except BaseError as error:
            raise OSError(_reason(error)) from error

    async def fetch(self, name: str, path: Path) -> None:
        try:
            found = await self.objects.get_async(name)
            with path.open("wb") as file:
                async for chunk in found.stream(min_chunk_size=CHUNK):
                    file.write(bytes(chunk))
        except BaseError as error:
            raise OSError(_reason(error)) from error


def files(settings: Settings) -> Files:
    """The files of the archive. Raises OSError."""
    if is_bucket(settings.archive_url):
        try:
            return BucketFiles(from_url(settings.archive_url))
        except BaseError as error:
            raise OSError(_reason(error)) from error
    return FolderFiles(settings.archive_folder)


def _reason(error: BaseError) -> str:
    return str(error).partition("\n\n")[0]
