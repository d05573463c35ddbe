"""Finding: lists that are asked for with a filter and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

Data = Callable[..., Awaitable[Any]]

DREAMS = "query ($filter: DreamFilter) { found: dreams(filter: $filter) { nodes { title } } }"
TESTS = "query ($filter: AiTestFilter) { found: aiTests(filter: $filter) { nodes { model } } }"
LOGS = """query ($filter: ProgressLogFilter) {
    found: progressLogs(filter: $filter) { nodes { testCount } } }"""


async def found(data: Data, document: str, filter: dict[str, Any]) -> str:
    """The texts that match a filter, oldest first, joined."""
    nodes = (await data(document, {"filter": filter}))["found"]["nodes"]
    return " ".join(str(value) for node in reversed(nodes) for value in node.values())
