"""Install: the packages of the peers as their locks pin them, and programs of the system."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from versus.servers import BINARIES, NODE_FOLDER, PYTHON_FOLDER, Platform, Server

PROGRAMS = {
    "wrk": "wrk, the load generator, is missing: `apt-get install wrk` installs it on Debian.",
    "taskset": "taskset, which pins processes to a core, is missing: `apt-get install util-linux` "
    "installs it on Debian.",
}


class InstallationFailed(Exception):
    """Packages of a platform cannot be installed; the message is one sentence."""


def missing_programs(programs: Mapping[str, str] = PROGRAMS) -> list[str]:
    """The sentence of each program of the system that is missing."""
    return [sentence for program, sentence in programs.items() if not shutil.which(program)]


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


Installers = Mapping[Platform, Callable[[], None]]
INSTALLERS: Installers = {
    "gateway": lambda: None,
    "node": install_node,
    "python": install_python,
}


def available(
    servers: Collection[Server], installers: Installers = INSTALLERS
) -> tuple[list[Server], list[str]]:
    """The servers whose packages are installed, and a sentence for each that is skipped."""
    used = {server.platform: installers[server.platform] for server in servers}
    failures = {platform: _failure(install) for platform, install in used.items()}
    problems = {platform: failure for platform, failure in failures.items() if failure}
    skipped = [
        f"{server.name} is skipped: {problems[server.platform]}"
        for server in servers
        if server.platform in problems
    ]
    return [server for server in servers if server.platform not in problems], skipped


def _failure(install: Callable[[], None]) -> str | None:
    try:
        install()
    except InstallationFailed as failed:
        return str(failed)
    return None


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
        raise InstallationFailed(f"{Path(command[0]).name} failed: {reason(done.stderr)}")


def reason(output: str) -> str:
    """The first error that npm or pip reports."""
    lines = output.strip().splitlines() or ["no message"]
    errors = [line for line in lines if line.startswith(("npm error", "ERROR"))]
    return (errors or lines[-1:])[0]
