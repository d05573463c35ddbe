"""Documents: every command of README, first steps and importing, run in that order, prints what the
page shows. Only the port differs from 8000.

Then the first steps in production, and the installation of the wheel.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from support.console import build_console
from support.ports import free_port
from support.wait import until

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/first-steps.md", "docs/importing.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RUN_IN_BACKGROUND = ("make serve", "curl -sN")
SKIPPED = "make test\n"
NOT_COPIED = (
    ".git",
    ".venv",
    ".dreamnet",
    "node_modules",
    "htmlcov",
    "dist",
    "*_cache",
    ".hypothesis",
)
PEPPER = "p" * 32


@dataclass(frozen=True, slots=True)
class Step:
    """The commands of a block, and their output as shown in the next block, or None. In the output
    `…` stands for any text, and alone on a line for any lines."""

    commands: str
    output: str | None

    def pattern(self) -> re.Pattern[str]:
        lines = re.sub(r"^…\\\n", "(?:.*\n)*?", re.escape(self.output or ""), flags=re.MULTILINE)
        return re.compile(lines.replace("…", ".*?"))


def steps(page: str, port: int, section: str = "") -> list[Step]:
    """All commands of a page, or of one of its sections."""
    text = (ROOT / page).read_text().replace(":8000/", f":{port}/")
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [
        Step(commands, output if kind in ("text", "json") else None)
        for (language, commands), (kind, output) in pairwise([*BLOCK.findall(text), ("", "")])
        if language == "sh"
    ]


class Terminal:
    """A shell in a copy of the project, and its background processes."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not _configures_gateway(name)}
        self.port = free_port()
        self.environment = {**kept, "DREAMNET_PORT": str(self.port), **environment}
        self.shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.background: list[subprocess.Popen[bytes]] = []

    async def run_page(self, page: str, section: str = "") -> None:
        """Run every command of a page, or a section, and compare its output."""
        todo = steps(page, self.port, section)
        assert todo
        for step in todo:
            if step.commands.startswith(RUN_IN_BACKGROUND):
                await self.start(step)
            elif step.commands != SKIPPED:
                self.check(step)

    def check(self, step: Step) -> None:
        printed, code = self.run(step.commands)
        if step.output is None:
            assert code == 0, f"{step.commands}\n{printed}"
        else:
            assert step.pattern().fullmatch(printed), f"{step.commands}\n{printed}"

    def run(self, commands: str) -> tuple[str, int]:
        """The output of commands, and the exit code of the last one."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        script = self.folder.parent / "commands"
        script.write_text(commands)
        self.shell.stdin.write(f"source {script} </dev/null\nprintf '\\n%s %d\\n' THE-END $?\n")
        self.shell.stdin.flush()
        text = ""
        while (end := re.search(r"\nTHE-END (\d+)\n\Z", text)) is None:
            line = self.shell.stdout.readline()
            assert line, text
            text += line
        printed = text[: end.start()]
        return f"{printed.rstrip()}\n" if printed else "", int(end[1])

    async def start(self, step: Step) -> None:
        """Run commands in the background, and wait for their output."""
        process, log = self.spawn(step.commands)
        printed = step.pattern()
        await until(lambda: printed.search(log.read_text()) or process.poll() is not None)
        assert printed.search(log.read_text()), log.read_text()

    def spawn(self, commands: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Run commands in a process group of their own; return it with the file of its output."""
        log = self.folder.parent / f"background-{len(self.background)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", commands],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.background.append(process)
        return process, log

    def close(self) -> None:
        """Stop the background processes, newest first, and close the shell. SIGINT would be ignored
        where the tests themselves run in the background."""
        for process in reversed(self.background):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        self.shell.communicate()


def _configures_gateway(name: str) -> bool:
    return name == "DATABASE_URL" or name.startswith(("DREAMNET_", "PG"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with the installation of this one. Its files are older than that, so
    `make` does not install again."""
    asyncio.run(build_console())
    copy = tmp_path / "dreamnet"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for file in copy.rglob("*"):
        os.utime(file, (0, 0))
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


@contextmanager
def terminal(folder: Path, **environment: str) -> Iterator[Terminal]:
    opened = Terminal(folder, **environment)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.timeout(600)
async def test_commands_print_the_output_of_the_pages(project: Path) -> None:
    with terminal(project) as newcomer:
        for page in PAGES:
            await newcomer.run_page(page)


@pytest.mark.timeout(600)
async def test_first_steps_in_production(project: Path, database_url: str) -> None:
    settings = {"DREAMNET_ENV": "production", "DREAMNET_KEY_PEPPER": PEPPER}
    settings |= {"DREAMNET_LOG_FORMAT": "console"}
    with terminal(project, DATABASE_URL=database_url, **settings) as operator:
        assert operator.run(".venv/bin/dreamnet import tests/samples/everything.jsonl")[1] == 0
        await operator.start(Step(".venv/bin/dreamnet serve", "Ctrl-C stops it.\n"))
        assert operator.run("KEY=$(cat .dreamnet/admin.key)") == ("", 0)
        await operator.run_page("docs/first-steps.md")


@pytest.mark.timeout(600)
async def test_installing_the_wheel(project: Path) -> None:
    with terminal(project) as operator:
        await operator.run_page("docs/operations.md", "Install without a checkout")
        doctor = "DREAMNET_DATA_DIR=data venv/bin/dreamnet doctor"
        printed, code = operator.run(f"pwd; {doctor}")
    assert code == 0, printed
    assert printed.startswith(f"{project}/dist\n")
