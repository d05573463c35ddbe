"""Previous: the code of the version before, with the migrations of this one.

    PYTHONPATH=bench python -m cluster.previous

runs the golden tests of the previous version on the new schema. It is the last tag; without one, it
is the commit before the newest migration.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
MIGRATIONS = "migrations/versions"
TESTS = "tests/golden/test_golden.py"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="previous-") as temporary:
        folder = Path(temporary)
        commit = write_previous(folder)
        sys.stdout.write(f"The golden tests of {commit[:9]} on the schema of this version:\n")
        sys.stdout.flush()
        workers = sys.argv[1:] or ["-n", "auto"]
        command = [sys.executable, "-m", "pytest", "-q", *workers, TESTS]
        done = subprocess.run(command, cwd=folder, env=environment(folder), check=False)
        sys.exit(done.returncode)


def write_previous(folder: Path) -> str:
    """Write the previous version into a folder; return its commit."""
    commit = previous_commit()
    archive = io.BytesIO(_git("archive", commit))
    with tarfile.open(fileobj=archive) as files:
        files.extractall(folder, filter="data")
    shutil.rmtree(folder / MIGRATIONS)
    shutil.copytree(CHECKOUT / MIGRATIONS, folder / MIGRATIONS)
    return commit


def previous_commit() -> str:
    if tags := _git("tag", "--merged", "HEAD", "--sort=-creatordate").decode().split():
        return tags[0]
    newest = _git("log", "-1", "--diff-filter=A", "--format=%H", "HEAD", "--", MIGRATIONS)
    return _git("rev-parse", f"{newest.decode().strip()}^").decode().strip()


def environment(folder: Path) -> dict[str, str]:
    """The variables of a process that runs the code in a folder."""
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def _git(*arguments: str) -> bytes:
    command = ["git", "-C", str(CHECKOUT), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    main()
