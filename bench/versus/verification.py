"""Verification: every answer of a server equals that of the reference statement."""

from collections.abc import Iterable

import httpx2
import orjson

from versus.answers import difference, normalised
from versus.database import Postgres
from versus.operations import Variables, body, statement, variables
from versus.running import Running

SAMPLES = 20  # requests with different variables

# M1 writes. The rows are compared, of the peers and of the gateway.
PEER_REPORT = """
select status, current_task->>'taskId' from agent_states where agent_key = '{key}';
select count(*) > 0 from system_events where source = '{key}' and timestamp > '2025-07-01';
"""
OUR_REPORT = """
select status, current_task->>'taskId' from public.agent_states where agent_key = '{key}';
select count(*) > 0 from public.system_events
where event_type = 'agent_status_update' and payload @> '{{"agent_key": "{key}"}}'
  and timestamp > '2025-07-01';
select status, current_task->>'taskId' from public.agent_history
where agent_key = '{key}' order by seq desc limit 1;
"""


class AnswersDiffer(Exception):
    """A server gave another answer than the reference statement."""


def verify(server: Running, postgres: Postgres, operation: str, dreams: list[str]) -> float:
    """Compare some answers; return the mean bytes of a response. Raises AnswersDiffer."""
    cases = variables(operation, dreams)
    sample = cases[:: max(1, len(cases) // SAMPLES)]
    sizes = [_checked(server, postgres, operation, values) for values in sample]
    return sum(sizes) / len(sizes)


def _checked(server: Running, postgres: Postgres, operation: str, values: Variables) -> int:
    response = server.post(body(server.server, operation, values))
    name = f"{server.server.name} {operation}"
    try:
        found = normalised(response.json())
    except ValueError as error:
        raise AnswersDiffer(f"{name}: {error}"[:500]) from None
    problem = (
        _report_problem(server, postgres, values)
        if operation == "M1"
        else difference(found, _reference(postgres, operation, values))
    )
    if problem:
        raise AnswersDiffer(f"{name}: {problem}")
    return wire_size(response)


def _reference(postgres: Postgres, operation: str, values: Variables) -> object:
    return normalised(orjson.loads("".join(postgres.rows(statement(operation, values)))))


def _report_problem(server: Running, postgres: Postgres, values: Variables) -> str | None:
    """What is missing of a reported status in the database, or None."""
    report = f"{values['status']}|{values['task']['taskId']}"
    expected = [report, "t", report] if server.server.is_gateway else [report, "t"]
    sql = OUR_REPORT if server.server.is_gateway else PEER_REPORT
    user = "postgres" if server.server.is_gateway else "peers"
    return difference(postgres.rows(sql.format(key=values["key"]), user), expected, "the report")


def wire_size(response: httpx2.Response) -> int:
    """Bytes of a response with its status line and headers."""
    head: Iterable[tuple[bytes, bytes]] = response.headers.raw
    return 19 + sum(len(name) + len(value) + 4 for name, value in head) + len(response.content)
