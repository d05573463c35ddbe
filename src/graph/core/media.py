"""Media: the store of the files of attachments, as the graph needs it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID


class Upload(NamedTuple):
    """A request that stores a file, valid until `expires_at`."""

    url: str
    method: str
    headers: Mapping[str, str]
    expires_at: datetime


class File(NamedTuple):
    """A file as it was announced. `size` is in bytes, `sha256` in hexadecimal digits."""

    id: UUID
    content_type: str
    size: int
    sha256: str


class MediaStore(Protocol):
    """Files by the IDs of their attachments."""

    @property
    def content_types(self) -> Collection[str]: ...

    @property
    def max_bytes(self) -> int: ...

    @property
    def max_per_dream(self) -> int: ...

    def upload(self, file: File, now: datetime) -> Upload: ...

    def download_url(self, id: UUID, now: datetime) -> str: ...

    async def accept(self, file: File) -> str | None:
        """Keep a file that was uploaded, if it is the announced one; otherwise delete it and return
        why in words."""
