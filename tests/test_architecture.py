"""The rules of docs/architecture.md that a machine can check."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import db as db  # registers the tables
from db.core.session.row_rules import tables_with_rules
from db.core.table import Table

SOURCE = Path(__file__).parent.parent / "src"
FILES = sorted(SOURCE.rglob("*.py"))
NOUNS = sorted(path.stem for path in (SOURCE / "graph").iterdir() if path.name[0].islower())

# What each layer may import of the others, and what it must not know.
LAYERS = {"db": {"db"}, "graph": {"graph", "db"}, "gateway": {"gateway", "graph", "db"}}
FOREIGN = {
    "db": {"strawberry", "graphql", "aiodataloader", "starlette", "uvicorn", "typer"},
    "graph": {"starlette", "uvicorn", "typer", "asyncpg", "alembic"},
    "gateway": {"sqlalchemy", "asyncpg", "alembic", "aiodataloader"},
}
BANNED = {"utils", "util", "helpers", "helper", "common", "manager", "base2", "data2", "misc"}
NOT_NOUNS = {"core", "schema"}


def layer_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0]


NOUN_FILES = [
    file
    for file in FILES
    if layer_of(file) == "graph" and file.relative_to(SOURCE).parts[1] != "core"
]


def imported(file: Path) -> Iterator[str]:
    """The top-level names of everything a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: import by full name"
            yield str(node.module).partition(".")[0]


def called(file: Path) -> Iterator[str]:
    """The names of everything a file calls."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", ""))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_run_one_way(file: Path) -> None:
    layer, names = layer_of(file), set(imported(file))

    assert names & set(LAYERS) <= LAYERS[layer]
    assert not names & FOREIGN[layer]


def test_nothing_imports_the_benchmarks() -> None:
    benchmarks = {path.stem for path in (SOURCE.parent / "bench").iterdir()}
    users = [file for file in FILES if benchmarks & set(imported(file))]

    assert "versus" in benchmarks
    assert users == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_names_are_specific(file: Path) -> None:
    parts = {part.removesuffix(".py") for part in file.relative_to(SOURCE).parts}
    classes = [n.name for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.ClassDef)]

    assert not parts & BANNED
    assert not [name for name in classes if re.fullmatch(r".*(Utils?|Helpers?|Manager)", name)]
    assert not [name for name in classes if re.match(r"Tests?[A-Z]", name)]


@pytest.mark.parametrize("noun", sorted(set(NOUNS) - NOT_NOUNS))
def test_a_noun_has_one_name_in_each_layer(noun: str) -> None:
    assert (SOURCE / "db" / f"{noun}.py").exists() or (SOURCE / "db" / noun).is_dir()


@pytest.mark.parametrize("file", NOUN_FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_sql_lives_in_db(file: Path) -> None:
    calls = set(called(file))

    assert not calls & {"select", "insert", "update", "delete", "text", "execute"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_only_the_database_makes_sessions(file: Path) -> None:
    """Others shed row rules by `session.unrestricted()` or `database.unrestricted()`."""
    room = file.relative_to(SOURCE).as_posix()
    if not room.startswith(("db/core/session/", "db/core/schema/")):
        assert not set(called(file)) & {"ReadSession", "WriteSession"}
        assert "UNRESTRICTED" not in file.read_text()


def test_tables_of_users_have_a_row_rule() -> None:
    tables = {each.class_ for each in Table.registry.mappers if "user_id" in each.columns}
    without = tables - set(tables_with_rules())

    assert {table.__tablename__ for table in without} == WITHOUT_ROW_RULE.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_the_time_is_that_of_the_database(file: Path) -> None:
    """The clock of the machine may be wrong; it is good enough to count down a budget."""
    if layer_of(file) != "gateway" and file.name != "quota.py":
        assert not re.search(
            r"datetime\.(now|utcnow|today)\(|date\.today\(|time\.time\(", file.read_text()
        )


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_only_settings_read_the_environment(file: Path) -> None:
    if re.search(r"os\.environ|getenv", file.read_text()):
        assert file.relative_to(SOURCE).as_posix() in READS_THE_ENVIRONMENT


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_value_counts_as_left_out_because_it_is_falsy(file: Path) -> None:
    if list(ends_in_none(file)):
        assert file.relative_to(SOURCE).as_posix() in FALSY_IS_NONE


def ends_in_none(file: Path) -> Iterator[ast.expr]:
    """Every `value or None`, which turns 0, "" and [] into None as well."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.BoolOp)]
    last = [node.values[-1] for node in nodes if isinstance(node.op, ast.Or)]
    yield from (value for value in last if isinstance(value, ast.Constant) and value.value is None)


WITHOUT_ROW_RULE = {
    "alert_rules": "fields require the role OPERATOR",
    "system_events": "fields require the role OPERATOR",
    "user_analytics": "fields require the role OPERATOR",
    "user_identities": "in no type of the schema",
}
FALSY_IS_NONE = {
    "db/importer/legacy.py": "an empty cell of a CSV file holds nothing",
    "graph/core/execution/operation.py": "the setting 0 is no limit",
}
READS_THE_ENVIRONMENT = {
    "db/core/embedded/programs.py": "hands its environment on to PostgreSQL",
    "gateway/cli/doctor.py": "names variables that look like settings and are none",
    "gateway/cli/mcp.py": "as for gateway/cli/work.py",
    "gateway/cli/work.py": "a worker is a client, and has a key in place of settings",
    "gateway/process/metrics_endpoint.py": "tells the library of metrics, here and in workers",
    "gateway/worker/openai_compatible.py": "as the client libraries of OpenAI do",
    "graph/config/types.py": "says whether the variable that a secret reference names is set",
    "graph/config/operations.py": "stores variables that somebody names",
}
