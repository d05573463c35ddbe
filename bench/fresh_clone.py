"""Fresh clone: how long the first `make serve` takes, with and without the console, and a wheel
that is built without Node on PATH.

It clones the checkout twice (the last commit, not what is uncommitted), so it downloads what a
newcomer downloads: `python bench/fresh_clone.py`. Fails if the console takes longer than 120 s, or
if the wheel does not serve it.
"""

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx2

from support.ports import free_port

ROOT = Path(__file__).parents[1]
CONSOLE_SECONDS = 120
PATIENCE = 600.0
NODE = {"node", "nodejs", "npm", "npx", "corepack"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bare = cloned(Path(folder) / "bare")
        api, _ = first_start(bare, console="off")
        _say(f"make serve without the console: the API answers after {api:.0f} s")
        whole = cloned(Path(folder) / "whole")
        api, console = first_start(whole, console="on")
        _say(f"make serve: the API answers after {api:.0f} s, the console after {console:.0f} s")
        built_and_served(bare, Path(folder))
        _say("a wheel built without Node on PATH serves the console from a clean environment")
    if console > CONSOLE_SECONDS:
        raise SystemExit(f"The console took longer than {CONSOLE_SECONDS} s.")


def cloned(folder: Path) -> Path:
    run("git", "clone", "--quiet", str(ROOT), str(folder))
    return folder


def first_start(clone: Path, console: str) -> tuple[float, float]:
    """Seconds from `make serve` to the first answer of the API, and to the console."""
    began = time.monotonic()
    with serving(["make", "serve"], clone, {"DREAMNET_CONSOLE": console}) as client:
        until(lambda: answers(client, "/livez"))
        api = time.monotonic() - began
        if console == "on":
            until(lambda: has_console(client))
        return api, time.monotonic() - began


def built_and_served(clone: Path, folder: Path) -> None:
    """Build a wheel as pip does, in an environment of its own, and install it in a clean one."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(clone))
    [wheel] = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder / "clean"))
    python = folder / "clean/bin/python"
    run(*pip, "--python", str(python), "install", str(wheel))
    data = {"DREAMNET_DATA_DIR": str(folder / "data")}
    with serving([str(folder / "clean/bin/dreamnet"), "serve"], folder, data) as client:
        until(lambda: answers(client, "/livez"))
        if not has_console(client):
            raise SystemExit("The wheel does not serve the console.")


@contextmanager
def serving(command: Sequence[str], folder: Path, more: dict[str, str]) -> Iterator[httpx2.Client]:
    port = free_port()
    process = subprocess.Popen(  # noqa: S603  our own command
        command,
        cwd=folder,
        env=without_node() | more | {"DREAMNET_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # of an installation, long
        start_new_session=True,
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            yield client
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()


@cache
def without_node() -> dict[str, str]:
    """The environment without the settings of this gateway, and without a Node on PATH: a folder
    that has one is replaced by links to all else in it."""
    links = tempfile.mkdtemp(prefix="without-node-")
    atexit.register(shutil.rmtree, links, ignore_errors=True)
    folders = os.environ["PATH"].split(os.pathsep)
    of_node = [each for each in folders if shutil.which("node", path=each)]
    for command in {
        each.name: each for folder in of_node for each in Path(folder).iterdir()
    }.values():
        if command.name not in NODE:
            Path(links, command.name).symlink_to(command)
    path = os.pathsep.join([each for each in folders if each not in of_node] + [links])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DREAMNET_", "MAKE"))}
    return kept | {"PATH": path}


def answers(client: httpx2.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def has_console(client: httpx2.Client) -> bool:
    """True if the page and its script are there, and not the page that says how to build it."""
    scripts = re.findall(r'src="\./([^"]+\.js)"', client.get("/console").text)
    return bool(scripts) and answers(client, f"/console/{scripts[0]}")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"Nothing for {PATIENCE:.0f} s.")
        time.sleep(0.25)


def run(*command: str) -> None:
    done = subprocess.run(  # noqa: S603  our own command
        command, env=without_node(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  its purpose


if __name__ == "__main__":
    main()
