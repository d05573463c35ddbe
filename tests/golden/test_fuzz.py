"""Fuzzing: operations made at random from the schema never meet an error of ours."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings, strategies as st
from schemathesis.graphql import nodes

from golden import world
from golden.serving import served
from support.databases import drop_database

CASES_PER_FIELD = int(os.environ.get("FUZZ_CASES", "7"))
SDL = Path(__file__).parent.parent.parent / "schema.graphql"

TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis wants naive bounds

schemathesis.graphql.scalar("DateTime", TIMES.map(datetime.isoformat).map(nodes.String))
schemathesis.graphql.scalar("Decimal", st.decimals(0, 1000, places=6).map(str).map(nodes.String))
schemathesis.graphql.scalar("BigInt", st.integers(-(2**63) + 1, 2**63 - 1).map(nodes.Int))
schemathesis.graphql.scalar("JSON", st.text().map(nodes.String))

schema = schemathesis.graphql.from_path(SDL)
FIELDS = len(list(schema.get_all_operations()))


@pytest.fixture(scope="module")
def address(server_url: str, template_url: str) -> Iterator[str]:
    """A gateway over a world of its own: mutations are made at random too."""
    url = asyncio.run(world.stored(server_url, template_url))
    with served(url) as address:
        yield address
    asyncio.run(drop_database(server_url, url))


def test_there_are_enough_cases() -> None:
    assert FIELDS * CASES_PER_FIELD >= 500


@schema.parametrize()
@settings(
    max_examples=CASES_PER_FIELD,
    deadline=None,
    derandomize="FUZZ_CASES" not in os.environ,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_operation_causes_an_internal_error(case: schemathesis.Case, address: str) -> None:
    response = case.call(base_url=f"{address}/graphql")

    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert response.status_code < 500
    assert "INTERNAL_SERVER_ERROR" not in codes, case.body
