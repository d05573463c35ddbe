"""Golden pairs: an operation, and the whole answer that the endpoint gives to it.

The first line of each operation states how many SQL statements it costs: `# statements: 3`. Without
plans it may cost more.
`make golden` writes the answers anew; the change to them is then there to be read.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from db import Database
from support.executors import PLANS_ARE_OFF
from support.query_count import statements

HERE = Path(__file__).parent
CASES = sorted(HERE.rglob("*.graphql"))


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: str(case.relative_to(HERE).with_suffix(""))
)
async def test_answer(case: Path, client: httpx2.AsyncClient, database: Database) -> None:
    text, cost = read(case)

    with statements(database, exactly=None if PLANS_ARE_OFF else cost):
        response = await client.post("/graphql", json={"query": text})

    assert response.json() == golden(case, response.json())
    assert response.status_code == 200


def read(case: Path) -> tuple[str, int]:
    """An operation, and the number of statements it states."""
    text = case.read_text()
    stated = re.match(r"# statements: (\d+)\n", text)
    assert stated, "the first line states the number of statements"
    return text, int(stated[1])


def golden(case: Path, answer: Any) -> Any:
    """The answer on file, which is this one when it is being written."""
    file = case.with_suffix(".json")
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    return json.loads(file.read_text())


def test_every_noun_has_a_golden_pair() -> None:
    nouns = {file.stem for file in (HERE.parent.parent / "src" / "graph").glob("*.py")}

    assert nouns - {"__init__", "schema"} <= {case.parent.name for case in CASES}
