"""Revisions: the migrations of this version, by their numbers, without Alembic.

A gateway that serves has to know them, and does without Alembic's ten megabytes of memory. In a
wheel the migrations are in the package `db`, in a checkout in the top-level folder.
"""

import re
from functools import cache
from pathlib import Path

PACKAGED = Path(__file__).parents[2] / "migrations"
CHECKOUT = Path(__file__).parents[4]
OLDEST = "0011"

_FILE = re.compile(r"\d{4}_\d\d_\d\d_(?P<number>\d{4})_\w+\.py")


def folder() -> Path:
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT / "migrations"


@cache
def revisions() -> tuple[str, ...]:
    """All revisions, the oldest first."""
    files = [_FILE.fullmatch(file.name) for file in (folder() / "versions").iterdir()]
    return tuple(sorted(file["number"] for file in files if file))


def head() -> str:
    return revisions()[-1]


def supported(revision: str | None) -> bool:
    return revision in revisions()[revisions().index(OLDEST) :]


def survived(revision: str | None) -> bool:
    """True if a running gateway can continue with a database of that revision. An unknown one is of
    a later release, whose migrations are compatible with running gateways."""
    return supported(revision) or (revision is not None and revision not in revisions())


def unknown(revision: str) -> str:
    return (
        f"is at revision {revision}, and this version knows {revisions()[0]} to {head()}: use the "
        "version of the gateway that migrated it."
    )
