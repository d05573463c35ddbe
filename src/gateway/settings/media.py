"""Media settings: where the files of attachments are, and which are accepted."""

from typing import Annotated

from pydantic import AfterValidator, Field

from db.attachments import MAX_BYTES
from gateway.settings.section import Section

CONTENT_TYPES = (
    *("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "audio/mpeg"),
    *("audio/wav", "video/mp4", "video/webm", "text/plain", "text/markdown", "text/csv"),
    *("application/json", "application/zip"),
)
SCHEMES = ("s3://", "gs://", "az://")


def _is_store(url: str) -> str:
    if not url.startswith(SCHEMES):
        raise ValueError("must start with s3://, gs:// or az://")
    return url


def _are_types(text: str) -> str:
    if unknown := set(split(text)).difference(CONTENT_TYPES):
        raise ValueError(f"{min(unknown) or 'nothing'} is none of {', '.join(CONTENT_TYPES)}")
    return text


def split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


class MediaSettings(Section):
    """The store of attachments."""

    media_url: Annotated[str, AfterValidator(_is_store)] | None = Field(
        default=None,
        description="Bucket of the files of attachments, such as `s3://bucket/folder`, with the "
        "variables of its provider, such as `AWS_REGION`; if unset, the folder `media` in "
        "`DREAMNET_DATA_DIR`, which all processes must share.",
    )
    media_max_bytes: int = Field(
        default=25 * 1024 * 1024, ge=1, le=MAX_BYTES, description="Maximum size of an attachment."
    )
    media_max_per_dream: int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="Maximum attachments of a dream, with those of its tests; 0 accepts none.",
    )
    media_types: Annotated[str, AfterValidator(_are_types)] = Field(
        default=",".join(CONTENT_TYPES),
        description="Comma-separated media types of attachments that are accepted.",
    )
