"""Archive settings: which rows are moved to files, when, and where the files are."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeGuard

from pydantic import AfterValidator, Field

from db.archive import NOUNS
from gateway.settings.media import SCHEMES, split
from gateway.settings.section import Section


def _are_nouns(text: str) -> str:
    if unknown := set(split(text)).difference(NOUNS):
        raise ValueError(f"{min(unknown) or 'nothing'} is none of {', '.join(NOUNS)}")
    return text


def is_bucket(url: str | None) -> TypeGuard[str]:
    return url is not None and url.startswith(SCHEMES)


class ArchiveSettings(Section):
    """The archive of old months."""

    archive_nouns: Annotated[str, AfterValidator(_are_nouns)] | None = Field(
        default=None,
        description="Comma-separated rows whose old months are moved to files: `agents`, `events`, "
        "`metrics`, `actions`, `tests`; if unset, none.",
    )
    archive_after_days: int = Field(
        default=365,
        ge=7,
        description="Days after the end of a month until it is moved to a file.",
    )
    archive_url: str | None = Field(
        default=None,
        description="Folder of the archive, or bucket such as `s3://bucket/folder`, with the "
        "variables of its provider, such as `AWS_REGION`; if unset, the folder `archive` in "
        "`DREAMNET_DATA_DIR`.",
    )

    @property
    def archive_after(self) -> dict[str, timedelta]:
        """The time after which months are moved, by the names of `db.archive.NOUNS`."""
        names = [] if self.archive_nouns is None else split(self.archive_nouns)
        return dict.fromkeys(names, timedelta(days=self.archive_after_days))

    def folder_of_archive(self, data_dir: Path) -> Path:
        given = data_dir / "archive" if self.archive_url is None else Path(self.archive_url)
        return given.expanduser().resolve()
