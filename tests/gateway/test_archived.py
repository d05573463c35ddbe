"""Archived rows: lists leave them out, and `archivedUntil` says so."""

from pathlib import Path

from db import Database
from db.archive import NOUNS, archive, restore
from db.core.schema.partition import next_month
from support.archived import AFTER, MONTH, fill, folder
from support.graphql_client import Endpoint

ANSWERS = """query($from: DateTime, $to: DateTime, $of: ArchivableRows!) {
  archivedUntil(of: $of, from: $from, to: $to)
  eventCounts(from: $from, to: $to, bucket: DAY) { rows { bucket source count } }
  events(filter: {timestamp: {gte: $from, lt: $to}}, first: 50) { nodes { id } }
}"""
END = next_month(MONTH)


def window(of: str = "EVENTS", months: int = 0) -> dict[str, str]:
    """The month that is archived, or one that many months later."""
    since, until = next_month(MONTH, months), next_month(END, months)
    return {"of": of, "from": since.isoformat(), "to": until.isoformat()}


async def test_clients_are_told_that_a_range_reaches_into_the_archive(
    endpoint: Endpoint, database: Database, tmp_path: Path
) -> None:
    await fill(database)
    before = await endpoint.data(ANSWERS, window())
    assert before["archivedUntil"] is None
    assert len(before["events"]["nodes"]) == 12

    await archive(database, folder(tmp_path), AFTER)

    for of in ("AGENT_REPORTS", "EVENTS", "METRICS", "USER_ACTIONS", "AI_TESTS"):
        answer = await endpoint.data(ANSWERS, window(of))
        assert answer["archivedUntil"] == f"{END:%Y-%m-%dT%H:%M:%S}.000000Z"
        assert answer["events"]["nodes"] == []
        assert answer["eventCounts"] == before["eventCounts"]
    assert (await endpoint.data(ANSWERS, window(months=1)))["archivedUntil"] is None
    assert (await endpoint.data("{ archivedUntil(of: EVENTS) }"))["archivedUntil"]

    await restore(database, folder(tmp_path), NOUNS["events"], MONTH)
    assert (await endpoint.data(ANSWERS, window()))["archivedUntil"] is None
