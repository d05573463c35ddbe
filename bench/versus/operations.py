"""Operations: their texts, their variables, and requests made of both."""

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from versus.servers import FOLDER, Server

OPERATIONS = {
    "Q1": "one dream by id, 8 fields",
    "Q2": "20 active dreams, newest first",
    "Q3": "20 dreams, each with owner, 5 tests and 1 progress log",
    "Q4": "100 dreams with 10 tests each: 1,100 objects",
    "Q5": "143 agents with two JSON columns",
    "M1": "the report of an agent's status",  # last, because it writes what Q5 reads
}
STATUSES = ("IDLE", "RUNNING", "ERROR", "PAUSED")
AGENTS = 143

Variables = dict[str, Any]  # JSON


def variables(operation: str, dreams: Sequence[str]) -> list[Variables]:
    """The variables of different requests; `dreams` are the ids that Q1 asks for."""
    if operation == "Q1":
        return [{"id": id} for id in dreams]
    if operation == "M1":
        return [_report(number) for number in range(4 * AGENTS)]
    return [{}]


def body(server: Server, operation: str, values: Variables) -> str:
    """A request as JSON."""
    if server.is_gateway and "id" in values:
        values = {"id": "dream_" + values["id"].replace("-", "")}
    text = _text(server.operations, operation)
    request = {"query": text, "variables": values, "operationName": operation}
    return json.dumps(request, separators=(",", ":"))


def statement(operation: str, values: Variables) -> str:
    """The SQL of LIMIT for a query, as psql executes it."""
    text = (FOLDER / "operations" / "limit" / f"{operation}.sql").read_text()
    return text.replace("$1", f"'{values.get('id')}'") + ";"


def _report(number: int) -> Variables:
    task = {"taskId": f"task-{number}", "kind": "bench", "step": number % 9}
    agent = f"agent-{1 + number * 37 % AGENTS:03}"
    return {"key": agent, "status": STATUSES[number % len(STATUSES)], "task": task}


@cache
def _text(folder: str, operation: str) -> str:
    file = FOLDER / "operations" / folder / f"{operation}.graphql"
    return re.sub(r"\s+", " ", file.read_text()).strip()
