"""`dreamnet media import`, and what types of files are recognised by."""

import hashlib
import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path
from typing import Any

import pytest

from db import Database
from db.attachments import Attachment
from gateway.media.content_types import SIGNATURES, TypeCheck
from gateway.settings import Settings
from gateway.settings.media import CONTENT_TYPES
from graph.core.types.node import global_id
from support.attachments import PNG, files
from support.mutations import stored
from support.wait import patience


async def import_media(folder: Path, **variables: str) -> tuple[int | None, list[str]]:
    """The exit code of `dreamnet media import`, and the lines that it prints."""
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "media", "import", str(folder)),
        env={**os.environ, **variables},
        stdout=PIPE,
    )
    async with patience():
        out, _ = await process.communicate()
    return process.returncode, out.decode().splitlines()


async def test_a_folder_is_imported_once(
    dream: Any, database: Database, database_url: str, settings: Settings, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    for name in (dream.slug, global_id(dream), "unknown"):
        (source / name).mkdir(parents=True)
    (source / dream.slug / "a.png").write_bytes(PNG)
    (source / global_id(dream) / "notes.md").write_text("Wings.")
    (source / dream.slug / "page.html").write_text("<script>")
    (source / dream.slug / "fake.png").write_text("no picture")
    (source / "unknown" / "a.png").write_bytes(PNG)
    (source / "flat.png").write_bytes(PNG)
    variables = {"DATABASE_URL": database_url, "DREAMNET_DATA_DIR": str(settings.data_dir)}
    code, lines = await import_media(source, **variables)
    assert (code, lines[-1]) == (1, "2 stored, 0 unchanged, 4 refused")
    assert f"{source / 'flat.png'}: Put it into a folder that is named after its dream." in lines
    assert f"{source / dream.slug / 'fake.png'}: Its content is not image/png." in lines
    code, lines = await import_media(source, **variables)
    assert (code, lines[-1]) == (1, "0 stored, 2 unchanged, 4 refused")
    rows = {row.name: row for row in await stored(database, Attachment)}
    assert {name: row.content_type for name, row in rows.items()} == {
        "a.png": "image/png",
        "notes.md": "text/markdown",
    }
    assert rows["a.png"].sha256 == hashlib.sha256(PNG).hexdigest()
    assert files(settings) == sorted(f"attachments/{row.id}" for row in rows.values())


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_no_type_accepts_a_page(content_type: str) -> None:
    check = TypeCheck(content_type)
    check.update(b"\xff<html>")
    assert not check.holds()
    assert content_type in SIGNATURES or content_type.startswith(("text/", "application/json"))


def test_a_text_may_be_cut_anywhere() -> None:
    check = TypeCheck("text/plain")
    for byte in "schön €".encode():
        check.update(bytes([byte]))
    assert check.holds()
