"""The real files, imported once: every row the README beside them promises, and no other."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import text

from db import Database
from db.importer import Counts, import_files
from support import databases

# file: kind: records, as the README of the data says
RECORDS = {
    "models.jsonl.gz": {"model": 3_980},
    "airun.jsonl.gz": {"dream": 104, "test": 3_031},
    "weirdml.jsonl.gz": {"dream": 17, "test": 7_484},
    "nab.jsonl.gz": {"metric": 137_301},
    "azure-requests.jsonl.gz": {"event": 28_185},
    "autogpt.jsonl.gz": {"dream": 60, "test": 23_153, "agentReport": 1_395},
}

NULLS = """
    select split_part(import_key, ':', 1), count(*), count(impossibility_score), count(confidence),
        count(reasoning), count(duration), count(tokens_used), count(cost),
        min(ai_tests.created_at)::text, max(ai_tests.created_at)::text
    from ai_tests join dreams on dreams.id = dream_id group by 1 order by 1
"""


async def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    async with database.read() as session:
        return [tuple(row) for row in await session.rows(text(statement))]


async def row(database: Database, statement: str) -> tuple[Any, ...]:
    [only] = await rows(database, statement)
    return only


async def test_models(imported: Database) -> None:
    statement = """
        select count(*), count(max_tokens), count(cost_per_1k_tokens),
            count(input_cost_per_1k_tokens), count(output_cost_per_1k_tokens), count(is_active)
        from ai_models
    """
    nulls = (287, 229, 229, 222, 49)
    assert await row(imported, statement) == (3_980, *(3_980 - null for null in nulls))


async def test_dreams(imported: Database) -> None:
    statement = """
        select count(*), count(*) filter (where status = 'ACTIVE' and is_public), count(user_id),
            count(description), count(original_prompt)
        from dreams
    """
    assert await row(imported, statement) == (181, 181, 0, 181 - 57, 181 - 17 - 6)


async def test_ai_tests(imported: Database) -> None:
    airun, autogpt, weirdml = await rows(imported, NULLS)
    assert airun == (
        *("airun", 3_031, 3_031 - 1_369, 3_031 - 1_370, 3_031 - 1_369, 3_022, 3_022, 2_997),
        *("2024-04-01 11:33:09.610895+00", "2025-07-11 13:50:17.258959+00"),
    )
    assert autogpt == (
        *("autogpt", 23_153, 23_153 - 16_978, 0, 23_153 - 4_688, 23_153 - 1_587, 0),
        *(23_153 - 20_257, "2023-07-15 22:13:00+00", "2023-08-29 08:16:38+00"),
    )
    assert weirdml == (
        *("weirdml", 7_484, 7_484, 0, 0, 0, 0, 7_484),
        *("2023-06-13 00:00:00+00", "2026-02-05 00:00:00+00"),
    )


async def test_completed_tests_without_a_score_are_stored(imported: Database) -> None:
    statement = """
        select count(*) from ai_tests where status = 'COMPLETED' and impossibility_score is null
    """
    assert await row(imported, statement) == (1_360,)


async def test_every_scored_test_leaves_a_log(imported: Database) -> None:
    statement = """
        select count(*), count(progress_logs.id), count(*) filter (where test_count = place)
        from (
            select id, row_number() over (partition by dream_id order by id) as place
            from ai_tests where impossibility_score is not null
        ) scored full join progress_logs using (id)
    """
    assert await row(imported, statement) == (15_321, 15_321, 15_321)


async def test_events(imported: Database) -> None:
    statement = """
        select count(*), min(timestamp)::text, max(timestamp)::text,
            count(*) filter (where metadata ->> 'trace' is not null)
        from system_events
    """
    assert await row(imported, statement) == (
        *(28_185, "2023-11-16 18:15:46.68059+00", "2023-11-16 19:14:19.928016+00", 28_185),
    )


async def test_metrics_of_one_time_are_all_there(imported: Database) -> None:
    statement = """
        select count(*), count(unit), min(timestamp)::text, max(timestamp)::text,
            count(*) - count(distinct (metric_name, timestamp))
        from performance_metrics
    """
    assert await row(imported, statement) == (
        *(137_301, 137_301 - 45_812, "2013-07-04 00:00:00+00", "2015-01-31 23:30:00+00", 45),
    )


async def test_agents(imported: Database) -> None:
    statement = """
        select count(*), count(current_task), count(error), count(*) filter (
            where previous_status is distinct from lag
        )
        from (
            select *, lag(status) over (partition by agent_key order by id) from agent_history
        ) history
    """
    assert await row(imported, statement) == (1_395, 1_395 - 825, 0, 0)
    statement = """
        select count(*), count(*) filter (where (last_active, last_seq, agent_states.status) = (
            select reported_at, seq, status from agent_history
            where agent_key = agent_states.agent_key order by id desc limit 1
        )) from agent_states
    """
    agents, right = await row(imported, statement)
    assert agents == right > 0


async def test_reports_of_one_time_are_in_the_order_of_the_file(imported: Database) -> None:
    with gzip.open(databases.REAL_FOLDER / "autogpt.jsonl.gz", "rt") as file:
        lines = [line for line in map(json.loads, file) if line["kind"] == "agentReport"]
    agents = {line["agentKey"]: [] for line in lines}
    for line in sorted(lines, key=lambda line: line["at"]):  # stable
        agents[line["agentKey"]].append(line["status"])
    ties = Counter((line["agentKey"], line["at"]) for line in lines)
    assert max(ties.values()) > 1

    for order in ("id", "reported_at, seq"):
        found = {key: [] for key in agents}
        statement = f"select agent_key, status from agent_history order by {order}"  # noqa: S608  a name of this file
        for key, status in await rows(imported, statement):
            found[key].append(status)
        assert found == agents


async def test_nothing_from_the_files_is_outside_its_month(imported: Database) -> None:
    statement = """
        select count(*) from ai_tests
        where tableoid::regclass::text != 'ai_tests_y' || to_char(created_at, 'YYYY"m"MM')
    """
    assert await row(imported, statement) == (0,)


async def test_a_second_import_changes_nothing(
    server_url: str, imported_template_url: str, tmp_path: Path
) -> None:
    url = await databases.create_database(server_url, imported_template_url)
    database = Database(url)
    report = await import_files(database, databases.REAL_FILES, rejects_dir=tmp_path)
    await database.close()
    await databases.drop_database(server_url, url)
    assert not report.changed
    assert {file.path.name: dict(file.kinds) for file in report.files} == {
        name: {kind: Counts(unchanged=count) for kind, count in kinds.items()}
        for name, kinds in RECORDS.items()
    }
    assert report.progress_logs == Counts(unchanged=15_321)
