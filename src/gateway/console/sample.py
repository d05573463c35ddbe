"""Sample: imports a few rows of each kind, for an empty console in development."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db import Database
from db.importer import Report, import_files
from gateway.auth.authenticator import Auth
from gateway.errors import HttpError, respond
from gateway.request_record import record_of
from graph.core.permission import ADMIN

PATH = "/console/sample"
NAME = "everything.jsonl"
PACKAGED = Path(__file__).parents[1] / "samples" / NAME  # in a wheel
CHECKOUT = Path(__file__).parents[3] / "tests" / "samples" / NAME

MISSING = (
    "This installation has no sample. Import a file of your own with `dreamnet import`; its format "
    "is in docs/importing.md."
)


@dataclass(frozen=True, slots=True)
class SampleImport:
    """The endpoint. Only development has it, and only administrators may use it."""

    auth: Auth
    database: Database

    @property
    def route(self) -> Route:
        return Route(PATH, self.handle, methods=["POST"])

    async def handle(self, request: Request) -> Response:
        """Import the sample; importing it again changes nothing. Raises HttpError."""
        record = record_of(request.scope)
        record.principal = await self.auth.principal(request)
        if not record.principal.may(ADMIN):
            raise HttpError("Only administrators may import the sample.", 403)
        report = await self._import(PACKAGED if PACKAGED.exists() else CHECKOUT)
        return respond({"rows": sum(file.rows for file in report.files)})

    async def _import(self, file: Path) -> Report:
        database = self.database.borrowed_by("sample")
        try:
            return await import_files(database, [file], rejects_dir=Path(tempfile.gettempdir()))
        except FileNotFoundError:
            raise HttpError(MISSING, 404) from None
