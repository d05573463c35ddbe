"""Adding a noun: docs/adding-a-noun.md, followed in a copy of the project."""

import re
from pathlib import Path

import pytest

from test_newcomer import ROOT, project as project, terminal

DOCUMENT = "docs/adding-a-noun.md"
FILE = re.compile(
    r"^`(src/\S+)`:\n((?:\n```(?:python|diff)\n.*?^```\n)+)", re.DOTALL | re.MULTILINE
)
BLOCK = re.compile(r"^```(python|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CHECKS = """.venv/bin/ruff format --check src/db/prizes.py src/graph/prizes.py &&
.venv/bin/ruff check src/db src/graph migrations && .venv/bin/dreamnet migrate check"""


def edited(text: str, diff: str) -> str:
    """A text after a change that is shown as a diff, without line numbers."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if not line.startswith("+"))
    after = "".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, f"not found exactly once:\n{before}"
    return text.replace(before, after)


def write_files(project: Path) -> None:
    """Write and edit the files as the document shows them."""
    for name, blocks in FILE.findall((ROOT / DOCUMENT).read_text()):
        file = project / name
        for kind, text in BLOCK.findall(blocks):
            file.write_text(edited(file.read_text(), text) if kind == "diff" else text)


@pytest.mark.timeout(300)
async def test_the_noun_of_the_document_works(project: Path) -> None:
    write_files(project)
    with terminal(project, PYTHONPATH=str(project / "src")) as developer:
        await developer.run_page(DOCUMENT)
        printed, code = developer.run(CHECKS)
    assert code == 0, printed
    assert "offerPrize" in (project / "schema.graphql").read_text()
