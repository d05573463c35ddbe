"""The wheel, installed in a clean environment and used outside a checkout: all commands on the
oldest Python found, and serving on the newest.

Dependencies are installed as the lock pins them.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx2
import pytest

from db.core.schema import revisions
from support.console import build_console
from support.ports import free_port

ROOT = Path(__file__).parents[1]
SUPPORTED = (11, 12, 13, 14)
NOWHERE = "/proc"  # a folder in which not even root can create a file


@cache
def interpreters() -> list[str]:
    """The oldest and the newest supported Python on this machine."""
    found = {sys.version_info.minor: sys.executable}
    for minor in SUPPORTED:
        names = [shutil.which(f"python3.{minor}") or ""]
        names += map(str, Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
        usable = [name for name in names if name and _version(name) == f"3.{minor}"]
        if usable:
            found.setdefault(minor, usable[0])
    return [found[minor] for minor in sorted({min(found), max(found)})]


def _version(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


class Installation:
    """`dreamnet` from a wheel, in an environment and with data of its own."""

    def __init__(self, folder: Path, python: str, wheel: Path) -> None:
        self.bin = folder / "bin"
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "DREAMNET_DATA_DIR": str(folder / "data"),
            "DREAMNET_PORT": str(self.port),
        }
        run(python, "-m", "venv", "--without-pip", str(folder))
        constraints = folder / "constraints.txt"
        constraints.write_text(_pins())
        pip = ("-m", "pip", "--python", str(self.bin / "python"), "--disable-pip-version-check")
        install = ("install", "--quiet", "--no-compile", "--constraint", str(constraints))
        run(sys.executable, *pip, *install, str(wheel))

    def dreamnet(self, *arguments: str, code: int = 0) -> str:
        """What a command prints, run in a folder that cannot be written to."""
        done = subprocess.run(
            [self.bin / "dreamnet", *arguments],
            cwd=NOWHERE,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def serving(self) -> Iterator[httpx2.Client]:
        """A client of `dreamnet serve`, which stops at the end."""
        with (
            subprocess.Popen(
                [self.bin / "python", "-m", "gateway", "serve"],
                cwd=NOWHERE,
                env=self.environment,
                stdout=subprocess.PIPE,
                text=True,
            ) as process,
            httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Ctrl-C stops it"):
                    break
            try:
                yield client
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait() == 0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    asyncio.run(build_console())
    run(sys.executable, "-m", "hatchling", "build", "--directory", str(folder), cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [wheel] = built.glob("*.whl")
    return wheel


@pytest.mark.timeout(900)
@pytest.mark.skipif(len(interpreters()) == 1, reason="NOT TESTED: there is no newer Python")
def test_the_newest_python_serves_the_wheel(wheel: Path, tmp_path: Path) -> None:
    installed = Installation(tmp_path / "newest", interpreters()[-1], wheel)

    assert installed.dreamnet("schema") == (ROOT / "schema.graphql").read_text()
    with installed.serving() as client:
        answer = client.post("/graphql", json={"query": "{ dreams { totalCount } }"})
        assert answer.json() == {"data": {"dreams": {"totalCount": 0}}}


@pytest.mark.timeout(900)
def test_commands_work_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    installed = Installation(tmp_path / "a %d folder", interpreters()[0], wheel)

    assert re.fullmatch(r"dreamnet \d+\.\d+\.\d+\n", installed.dreamnet("--version"))
    assert installed.dreamnet("schema") == (ROOT / "schema.graphql").read_text()
    with installed.serving() as client:
        assert client.get("/api/health/ready").status_code == 200
        for page in ("/console", "/graphiql"):
            [script, *_] = re.findall(r'src="\./([^"]+\.js)"', client.get(page).text)
            assert client.get(f"/console/{script}").status_code == 200
        sample = ROOT / "tests/samples/everything.jsonl"
        assert "Done in" in installed.dreamnet("import", str(sample))
        packaged = client.post("/console/sample").json()["rows"]
        assert packaged == len(sample.read_text().splitlines())
        answer = client.post("/graphql", json={"query": "{ dreams { totalCount } }"})
        assert answer.json() == {"data": {"dreams": {"totalCount": 2}}}
        assert f"at {revisions.head()}, newest is {revisions.head()}" in installed.dreamnet(
            "doctor"
        )
        assert installed.dreamnet("migrate", "current") == f"{revisions.head()}\n"
        assert installed.dreamnet("migrate", "check").startswith("The tables match")
        assert "first start" in installed.dreamnet("keys", "list")
    assert "at revision none.\n" in installed.dreamnet("migrate", "down", "base", "--yes")
    assert installed.dreamnet("migrate", "up").endswith(f"revision {revisions.head()}.\n")


def test_the_wheel_has_the_console_and_not_its_sources(wheel: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(wheel, tmp_path, "zip")

    console = tmp_path / "gateway" / "console"
    for file in ("static/index.html", "static/graphiql.html", "unbuilt.html"):
        assert (console / file).exists()
    assert list((console / "static" / "assets").glob("*.js.br"))
    assert not list(tmp_path.rglob("*.tsx"))


def test_the_wheel_has_neither_tests_nor_benchmarks(wheel: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(wheel, tmp_path, "zip")

    folders = {folder.name for folder in tmp_path.iterdir() if folder.suffix != ".dist-info"}

    assert folders == {"db", "gateway", "graph"}


def test_migrations_are_not_written_by_an_installed_copy(wheel: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(wheel, tmp_path, "zip")

    done = migrate_new(tmp_path, tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "Migrations are written in a checkout of the project; this is an installed copy.\n",
    )


def test_migrations_are_written_in_a_checkout(tmp_path: Path) -> None:
    for name in ("src", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    done = migrate_new(tmp_path, tmp_path / "src")

    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    [written] = (tmp_path / "migrations" / "versions").glob("*_prizes.py")
    number = f"{int(revisions.head()) + 1:04}"
    assert f'revision: str = "{number}"' in written.read_text().replace("'", '"')
    assert str(written) in done.stdout.replace("\n", "")


def migrate_new(folder: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """`dreamnet migrate new prizes` in a folder, from the code in another."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", "migrate", "new", "prizes"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_source_distribution_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    [wheel], [source] = built.glob("*.whl"), built.glob("*.tar.gz")
    shutil.unpack_archive(source, tmp_path, filter="data")
    [project] = tmp_path.iterdir()

    build = ("-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path))
    run(sys.executable, *build, cwd=project)

    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _pins() -> str:
    """The lock as constraints: pip takes neither extras nor, beside a local wheel, hashes there."""
    pins = re.findall(r"^([\w.-]+)(?:\[.*?\])?(==\S+(?: ;[^\\\n]+)?)", _lock(), re.MULTILINE)
    return "".join(f"{name}{version}\n" for name, version in pins)


def _lock() -> str:
    return (ROOT / "requirements.lock").read_text()
