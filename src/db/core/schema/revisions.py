"""Revisions: the migrations of this version, by their numbers, without Alembic.

A gateway that serves has to know them, and does without Alembic's ten megabytes of memory. In a
wheel the migrations are in the package `db`, in a checkout in the top-level folder.

The name of a file has its phase after the number: `pre` runs while gateways of the previous version
serve, `post` when none does any more. Those without a phase are the oldest, and are all `pre`.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

PACKAGED = Path(__file__).parents[2] / "migrations"
CHECKOUT = Path(__file__).parents[4]

UNNAMED = "0049"  # the newest that may be without a phase

_FILE = re.compile(r"\d{4}_\d\d_\d\d_(?P<number>\d{4})_(?:(?P<phase>pre|post)_)?\w+\.py")


class Phase(StrEnum):
    """When a migration runs: before gateways are replaced, or afterwards."""

    PRE = "pre"
    POST = "post"


def folder() -> Path:
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT / "migrations"


@cache
def phases() -> Mapping[str, Phase | None]:
    """The phase of each revision, None if it has none, the oldest first."""
    files = [_FILE.fullmatch(file.name) for file in (folder() / "versions").iterdir()]
    found = {file["number"]: file["phase"] for file in files if file}
    return {number: Phase(phase) if phase else None for number, phase in sorted(found.items())}


def revisions() -> tuple[str, ...]:
    """All revisions, the oldest first."""
    return tuple(phases())


def head() -> str:
    return revisions()[-1]


def newest(phase: Phase) -> str:
    """The revision at the end of a phase. That of `pre` is without the `post` migrations of this
    version: earlier ones are of versions before."""
    if phase == Phase.POST:
        return head()
    return [number for number, own in phases().items() if own != Phase.POST][-1]


def oldest() -> str:
    """The revision that this version needs: its `pre` migrations run before its gateways start."""
    return newest(Phase.PRE)


def supported(revision: str | None) -> bool:
    return revision in revisions()[revisions().index(oldest()) :]


def survived(revision: str | None) -> bool:
    """True if a running gateway can continue with a database of that revision. An unknown one is of
    a later release, whose migrations are compatible with running gateways."""
    return supported(revision) or (revision is not None and revision not in revisions())


def unknown(revision: str) -> str:
    return (
        f"is at revision {revision}, and this version knows {revisions()[0]} to {head()}: use the "
        "version of the gateway that migrated it."
    )
