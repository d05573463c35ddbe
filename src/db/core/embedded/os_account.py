"""OS account: under root the server runs as a user of its own, since PostgreSQL refuses root.

For other users nothing here has an effect: the server runs as the user itself.
"""

import os
import pwd
import stat
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypedDict

from db.core.embedded.failure import EmbeddedFailed

NAME = "dreamnet"


class Identity(TypedDict, total=False):
    """Arguments of `subprocess` for the user that runs a program."""

    user: int
    group: int
    extra_groups: list[int]


def identity() -> Identity:
    account = _account()
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give(path: Path) -> None:
    account = _account()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def hand_over(folder: Path) -> None:
    give(folder)
    make_reachable(folder)


def make_reachable(path: Path) -> None:
    if _account() is None:
        return
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


@cache
def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(NAME)
    try:
        subprocess.run(  # noqa: S603  a fixed command
            ["useradd", "--system", "--no-create-home", NAME],  # noqa: S607  found on the PATH
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedFailed(
            f"PostgreSQL refuses to run as root, and the user {NAME} to run it cannot be created: "
            "run as another user, or set DATABASE_URL."
        ) from error
    return pwd.getpwnam(NAME)
