"""Install: the packages of the peers as their locks pin them, and programs of the system."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from versus.servers import BINARIES, NODE_FOLDER, PYTHON_FOLDER, Platform, Server

PROGRAMS = {
    "wrk": "wrk, the load generator, is missing: `apt-get install wrk` installs it on Debian, "
    "`dnf install wrk` on Fedora.",
    "taskset": "taskset, which pins processes to a core, is missing: `apt-get install util-linux` "
    "installs it on Debian.",
}


class InstallationFailed(Exception):
    """Packages of a platform cannot be installed; the message is one sentence."""


def missing_programs() -> list[str]:
    """A sentence for each program of the system that is missing."""
    return [sentence for program, sentence in PROGRAMS.items() if not shutil.which(program)]


def available(servers: Iterable[Server]) -> tuple[list[Server], list[str]]:
    """The servers whose packages are installed, and a sentence for each that is skipped."""
    problems: dict[Platform, str] = {}
    found, skipped = [], []
    for platform in {server.platform for server in servers}:
        try:
            INSTALLERS[platform]()
        except InstallationFailed as failed:
            problems[platform] = str(failed)
    for server in servers:
        if server.platform in problems:
            skipped.append(f"{server.name} is skipped: {problems[server.platform]}")
        else:
            found.append(server)
    return found, skipped


def install_node() -> None:
    if not (BINARIES / "npm").exists():
        raise InstallationFailed("npm is missing: `make .venv/tools.stamp` installs it.")
    lock, installed = NODE_FOLDER / "package-lock.json", NODE_FOLDER / "node_modules"
    if is_older(installed / ".package-lock.json", lock):
        path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
        _run([BINARIES / "npm", "ci", "--ignore-scripts"], NODE_FOLDER, {"PATH": path})


def install_python() -> None:
    lock, environment = PYTHON_FOLDER / "requirements.lock", PYTHON_FOLDER / ".venv"
    stamp = environment / "installed.stamp"
    if is_older(stamp, lock):
        _run([sys.executable, "-m", "venv", "--clear", environment], PYTHON_FOLDER)
        pip = (environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
        _run([*pip, "install", "--quiet", "--require-hashes", "-r", lock], PYTHON_FOLDER)
        stamp.touch()


INSTALLERS: Mapping[Platform, Callable[[], None]] = {
    "gateway": lambda: None,
    "node": install_node,
    "python": install_python,
}


def is_older(installed: Path, lock: Path) -> bool:
    return not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime


def _run(command: list[str | Path], folder: Path, more: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise InstallationFailed(f"{Path(command[0]).name} failed: {lines[-1]}")
