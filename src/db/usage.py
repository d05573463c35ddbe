"""Usage: sizes of tables and health of the database, from PostgreSQL's statistics views.

An ordinary role may run all of these: what it may not see is null or left out.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    Executable,
    Table as PlainTable,
    Text,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
    union_all,
)

from db.core.feed import Feed, FeedState
from db.core.session.database import ReadSession, ResultRow
from db.core.session.row_rules import without_row_rules
from db.core.table import AnySelect, Expression, Table
from db.core.timeouts import Kind, of_kind
from db.feeds import FEEDS

K = TypeVar("K", bound=Hashable)

MOST_STATEMENTS = 20
MOST_GROUPS = 100
MOST_COUNTED = 5_000_000  # rows of one table

# A table is its partitions, or itself where it has none; so is an index. Before its first ANALYZE a
# table has no estimate, and none of use if it was empty then: then the live rows counted by the
# statistics are used.
_TABLES = """
select
    name,
    cast(sum(case when piece.reltuples <= 0 then pg_stat_get_live_tuples(piece.oid)
                  else piece.reltuples end) as bigint) as rows,
    sum(pg_total_relation_size(piece.oid)) as total_bytes,
    sum(pg_table_size(piece.oid)) as table_bytes,
    sum(pg_indexes_size(piece.oid)) as index_bytes,
    count(part.relid) as partitions
from unnest(:names) as name
left join lateral pg_partition_tree(to_regclass(name)) as part on part.isleaf
join pg_class as piece on piece.oid = coalesce(part.relid, to_regclass(name))
group by name
order by total_bytes desc, name
"""

_INDEXES = """
select
    name as table,
    whole.relname as index,
    sum(pg_stat_get_numscans(piece.oid)) as scans,
    sum(pg_stat_get_tuples_returned(piece.oid)) as rows_read,
    sum(pg_relation_size(piece.oid)) as bytes
from unnest(:names) as name
join pg_index on indrelid = to_regclass(name)
join pg_class as whole on whole.oid = indexrelid
left join lateral pg_partition_tree(indexrelid) as part on part.isleaf
join pg_class as piece on piece.oid = coalesce(part.relid, indexrelid)
group by name, whole.relname
order by scans desc, name, whole.relname
"""

# The lag of each standby behind the end of the log that this server has.
_REPLICATION = """
select
    application_name,
    state,
    sync_state,
    pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
        replay_lsn) as lag_bytes,
    extract(epoch from replay_lag) as lag_seconds
from pg_stat_replication
order by application_name, pid
"""

# Clients of this database. The state and times of other roles are null to an ordinary role.
_CLIENT_GROUPS = """
select
    coalesce(nullif(application_name, ''), 'unnamed') as application,
    coalesce(state, 'unknown') as state,
    count(*) as connections,
    max(extract(epoch from now() - state_change)) as longest_seconds
from pg_stat_activity
where backend_type = 'client backend' and datname = current_database()
group by 1, 2
order by connections desc, application, state
limit :most
"""

_CLIENTS = "from pg_stat_activity where backend_type = 'client backend'"
_SCHEMA = """(
    select nspname from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
    where extname = 'pg_stat_statements'
)"""
_WHY_NO_STATEMENTS = """(
    select case
        when extname is null
            then 'The extension pg_stat_statements is not created in this database.'
        when not exists (select from pg_settings where name = 'pg_stat_statements.max')
            then 'The server does not preload the library pg_stat_statements.'
        when not (has_schema_privilege(extnamespace, 'usage')
                  and has_table_privilege(pg_class.oid, 'select'))
            then 'The role that the gateway connects as may not read pg_stat_statements.'
    end
    from (values ('pg_stat_statements')) as wanted (name)
    left join pg_extension on extname = wanted.name
    left join pg_class on relnamespace = extnamespace and relname = wanted.name
)"""

FIGURES: Mapping[Hashable, str] = {
    "version": "split_part(current_setting('server_version'), ' ', 1)",
    "started_at": "pg_postmaster_start_time()",
    "database_bytes": "pg_database_size(current_database())",
    "cache_hit_ratio": "(select cast(blks_hit as float) / nullif(blks_hit + blks_read, 0)"
    " from pg_stat_database where datname = current_database())",
    "connections": "(select cast(sum(numbackends) as int) from pg_stat_database)",
    "active_connections": f"(select count(*) {_CLIENTS} and state = 'active')",
    "idle_connections": f"(select count(*) {_CLIENTS} and starts_with(state, 'idle'))",
    "max_connections": "cast(current_setting('max_connections') as int)",
    "statements_schema": _SCHEMA,
    "why_no_statements": _WHY_NO_STATEMENTS,
}


def tables() -> Executable:
    return _of_our_tables(_TABLES)


def indexes() -> Executable:
    return _of_our_tables(_INDEXES)


def replication() -> Executable:
    return without_row_rules(text(_REPLICATION))


def client_groups() -> Executable:
    return without_row_rules(text(_CLIENT_GROUPS).bindparams(most=MOST_GROUPS))


def feeds() -> Executable:
    """The numbers of the first and the last row of each feed: no content of a row."""
    return without_row_rules(union_all(*map(_feed, FEEDS)).order_by("name"))


def _feed(feed: Feed) -> AnySelect:
    last = select(func.max(feed.table.__table__.c.seq)).scalar_subquery()
    return select(FeedState.name, FeedState.min_seq.label("first"), last.label("last")).where(
        FeedState.name == feed.name
    )


def slowest(schema: str) -> Executable:
    """The statements of this database with the highest total time, from pg_stat_statements in that
    schema, without those that the role may not see."""
    columns = ("query", "calls", "total_exec_time", "mean_exec_time", "rows", "queryid", "dbid")
    seen = table("pg_stat_statements", *map(column, columns), schema=schema).c
    here: Expression = literal_column(
        "(select oid from pg_database where datname = current_database())"
    )
    total, mean = seen.total_exec_time, seen.mean_exec_time
    return without_row_rules(
        select(seen.query, seen.calls, total.label("total_ms"), mean.label("mean_ms"), seen.rows)
        .where(seen.queryid.is_not(None), seen.dbid == here)
        .order_by(total.desc(), seen.queryid)
        .limit(MOST_STATEMENTS)
    )


async def exact_rows(session: ReadSession, names: Sequence[K]) -> dict[K, int]:
    """The numbers of rows of tables with up to MOST_COUNTED rows, by the name of the table. Reads
    an index of each, and no content of a row."""
    counts = [_count(Table.metadata.tables[str(name)]) for name in names]
    rows = await session.rows(of_kind(Kind.AGGREGATE, without_row_rules(union_all(*counts))))
    return {name: row.rows for name in names for row in rows if _is_counted(row, name)}


def _is_counted(row: ResultRow, name: object) -> bool:
    return bool(row.name == name and row.rows <= MOST_COUNTED)


def _count(table: PlainTable) -> AnySelect:
    found = select(literal(1).label("one")).select_from(table).limit(MOST_COUNTED + 1).subquery()
    return select(literal(table.name).label("name"), func.count().label("rows")).select_from(found)


async def figures(session: ReadSession, names: Sequence[K]) -> dict[K, Any]:  # of any type
    wanted: Executable = select(*(literal_column(FIGURES[name]) for name in names))
    (row,) = await session.rows(without_row_rules(wanted))
    return dict(zip(names, row, strict=True))


def _of_our_tables(statement: str) -> Executable:
    names = [table.name for table in Table.metadata.sorted_tables]
    return without_row_rules(text(statement).bindparams(bindparam("names", names, ARRAY(Text))))
