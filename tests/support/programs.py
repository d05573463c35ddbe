"""Programs: those of the system, which tests need and may not find."""

import shutil

import pytest

FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def needed(program: str) -> str:
    """The path of a program; the test is skipped where there is none."""
    path = shutil.which(program, path=FOLDERS)
    if path is None:
        pytest.skip(f"NOT TESTED WITH {program}: it is not installed")
    return path
