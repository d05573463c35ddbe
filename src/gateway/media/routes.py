"""Routes: uploads and downloads of files, at signed addresses."""

from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from db import Database
from db.attachments import Attachment
from gateway.errors import HttpError, respond
from gateway.media.ranges import requested_range
from gateway.media.signing import Right
from gateway.media.store import Media

NOT_SIGNED = "This address is not valid, or not any more: ask the API for another one."
GONE = "The attachment does not exist any more."
STORED = "The file is stored already."
ANNOUNCED = "Send the file with the announced size and type: Content-Length {}, Content-Type {}."
HEADERS = {
    "cache-control": "private, max-age=300",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
}


def media_routes(media: Media, database: Database) -> list[Route]:
    files = Files(media, database)
    path = "/media/{id:uuid}"
    return [
        Route(path, files.upload, methods=["POST"]),
        Route(path, files.download, methods=["GET"]),
    ]


class Files:
    def __init__(self, media: Media, database: Database) -> None:
        self.media = media
        self.database = database

    async def upload(self, request: Request) -> Response:
        """Raises HttpError."""
        row = await self._row(request, "upload")
        if row.stored_at is not None:
            raise HttpError(STORED, 409)
        headers = request.headers
        given = headers.get("content-length"), headers.get("content-type")
        if given != (str(row.size), row.content_type):
            raise HttpError(ANNOUNCED.format(row.size, row.content_type), 400)
        await self.media.receive(row.id, _bounded(request, row.size))
        return respond({}, 201)

    async def download(self, request: Request) -> Response:
        """Raises HttpError."""
        row = await self._row(request, "download")
        etag = f'"{row.sha256}"'
        part = requested_range(request, row.size, etag)
        within = None if part is None else (part.start, part.end)
        chunks = self.media.read(row.id, within)
        try:
            first = await anext(chunks)
        except (FileNotFoundError, StopAsyncIteration):
            raise HttpError(GONE, 404) from None
        headers = {
            **HEADERS,
            "accept-ranges": "bytes",
            "content-length": str(part.length if part else row.size),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
            "etag": etag,
        }
        if part is not None:
            headers["content-range"] = part.content_range
        status = 206 if part else 200
        return StreamingResponse(_joined(first, chunks), status, headers, row.content_type)

    async def _row(self, request: Request, right: Right) -> Attachment:
        id: UUID = request.path_params["id"]
        now = await self.database.now()
        if not self.media.signer.is_valid(right, id, request.query_params, now):
            raise HttpError(NOT_SIGNED, 403)
        async with self.database.unrestricted().read() as session:
            row = await session.record(Attachment, Attachment.select().where(Attachment.id == id))
        if row is None or (right == "download" and row.stored_at is None):
            raise HttpError(GONE, 404)
        return row


async def _bounded(request: Request, size: int) -> AsyncIterator[bytes]:
    """The body, which must have that size. Raises HttpError."""
    received = 0
    async for chunk in request.stream():
        if (received := received + len(chunk)) > size:
            break
        if chunk:
            yield chunk
    if received != size:
        raise HttpError(f"The body does not have {size} bytes.", 400)


async def _joined(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in others:
        yield chunk
