"""The rules of the house: rooms and their order, docstrings of packages, words, commit subjects."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from support import banned_words
from support.rooms import FLAT, Arrows, arrows, cycles, modules

ROOT = Path(__file__).parent.parent
MODULES = modules(ROOT / "src")
ARROWS = arrows(MODULES)
MAX_SUBJECT = 72

# The most occurrences of `Any`, imports included. Each has its reason beside it.
MAX_ANY = {"db": 38, "gateway": 2, "graph.core": 46, "graph.nouns": 10, "graph.schema": 0}
PATH = re.compile(r"`((?:tests|src|bench|web)/[\w/-]+\.\w+)`")

# From top to bottom, a floor a line: a room imports rooms of lower floors only.
FLOORS = """
    commands       gateway.__main__
                   gateway.cli
    process        gateway.process
    examples       gateway.worker  gateway.mcp
    app            gateway.app
    lifespan       gateway.lifespan
    composition    gateway.components
    telemetry      gateway.otlp  gateway.monitoring
    maintenance    gateway.maintenance
    background     gateway.health  gateway.webhooks  gateway.mail
                   gateway.outboxes  gateway.archive
    transport      gateway.transport  gateway.console  gateway.media
    connection     gateway.protocols
    identity       gateway.auth
    middleware     gateway.middleware
    settings       gateway.settings  gateway.errors  gateway.log_format
                   gateway.setting_types  gateway.libpq_variables  gateway.exit_codes
                   gateway.allowance  gateway.tracing  gateway.periodic
    requests       gateway.request_record  gateway.log_batches
    networks       gateway.networks  gateway.log_context  gateway.origins
                   gateway.qualities  gateway.document_manifest  gateway.export_rights
                   gateway.trace_context

    schema         graph.schema
    nouns          graph.nouns
    subscriptions  graph.core.subscriptions
    execution      graph.core.execution
    types          graph.core.types
    loading        graph.core.loader  graph.core.once
    context        graph.core.context
    principal      graph.core.principal
    access         graph.core.permission  graph.core.quota  graph.core.fingerprint
                   graph.core.media
    budgets        graph.core.budget

    importing      db.importer
    nouns          db.nouns
    keys           db.core.idempotency  db.core.rollup
    features       db.core.query  db.core.ingest  db.core.feed  db.core.jobs
    schema         db.core.schema
    sessions       db.core.session
    connections    db.core.connections  db.core.embedded  db.core.numeric
    tables         db.core.table  db.core.secret_detection
    values         db.core.values  db.core.timeouts
    facts          db.core.errors  db.core.error_codes  db.core.error_facts
                   db.core.ids  db.core.background
                   db.core.api_key_format  db.core.cache
                   db.core.turns  db.core.durations
"""


def test_every_room_has_a_floor() -> None:
    assert set(floors()) == set(ARROWS) - set(FLAT)


def test_rooms_import_lower_floors_only() -> None:
    assert upward(ARROWS) == set()


def test_an_import_of_a_higher_floor_is_found() -> None:
    assert upward({"db.core.table": {"graph.nouns", "db.core.values"}}) == {
        "db.core.table -> graph.nouns"
    }


def test_rooms_do_not_import_each_other() -> None:
    assert cycles(ARROWS) == []


def test_a_cycle_of_three_rooms_is_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_every_package_has_a_docstring() -> None:
    folders = {module.path.parent for module in MODULES.values()} - {ROOT / "src"}

    assert [str(folder) for folder in sorted(folders) if not docstring_of(folder)] == []


def test_documents_name_files_that_exist() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {name for file in documents for name in PATH.findall(file.read_text())}

    missing = {name for name in named if not (ROOT / name).exists()}

    assert len(named) > 50
    assert missing == {"src/db/prizes.py", "src/graph/prizes.py"}  # the example of a new noun


def test_the_engine_is_small_enough_to_be_read() -> None:
    """Its lines of code, without docstrings, comments and imports."""
    engine = sorted((ROOT / "src/graph/core/execution/plan").glob("*.py"))
    assert 1_000 < sum(len(code_lines(file.read_text())) for file in engine) < 2_000


def test_any_only_becomes_rarer() -> None:
    found = {part: any_count(part) for part in MAX_ANY}

    assert {part: count for part, count in found.items() if count > MAX_ANY[part]} == {}
    assert found == MAX_ANY, "there are fewer: lower MAX_ANY"


def test_banned_words_only_become_fewer() -> None:
    found, allowed = banned_words.counts(), banned_words.ceilings()
    more = [path for path, count in found.items() if count > allowed.get(path, 0)]

    assert {path: banned_words.advice(ROOT / path) for path in more} == {}
    assert found == allowed, "run python tests/support/banned_words.py > tests/banned_words.txt"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What `createDream` comes to.", ["comes to"]),
        ("Told by\n    Strangers, and a stranger", ["told", "strangers", "stranger"]),
        ("goes\non", ["goes on"]),
        ("the sense of `told`, and ```\nnews\n```", []),
        ("untold newspapers", []),
    ],
)
def test_banned_words_are_found(text: str, words: list[str]) -> None:
    assert banned_words.found_in(text) == words


def test_prose_of_python_is_its_strings_and_comments(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('told = "it goes "  f"on {told}"  # that comes\n# to it\n')

    assert banned_words.found_in(banned_words.prose(file)) == ["goes on", "comes to"]


def test_commit_subjects_are_short() -> None:
    """Of this file's first commit and all that followed."""
    first = git("log", "--diff-filter=A", "--format=%H", "--", "tests/test_house.py").split()
    if not first or git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("the history is not there")
    subjects = git("log", "--format=%s", f"{first[-1]}..HEAD").splitlines()
    subjects += git("log", "-1", "--format=%s", first[-1]).splitlines()

    assert [subject for subject in subjects if len(subject) > MAX_SUBJECT] == []


def any_count(part: str) -> int:
    """The occurrences of `Any` in a room, or in all rooms of a layer."""
    rooms = [each for each in MODULES.values() if f"{each.room}.".startswith(f"{part}.")]
    return sum(len(re.findall(r"\bAny\b", module.text)) for module in rooms)


def floors() -> dict[str, int]:
    """The floor of each room, 0 at the top."""
    lines = [line[19:].split() for line in FLOORS.splitlines() if line]
    return {room: number for number, rooms in enumerate(lines) for room in rooms}


def upward(found: Arrows) -> set[str]:
    """The imports between known rooms that do not lead to a lower floor."""
    floor = floors()
    pairs = [(room, other) for room in found.keys() & floor for other in found[room] & floor.keys()]
    return {f"{room} -> {other}" for room, other in pairs if floor[other] <= floor[room]}


def docstring_of(package: Path) -> str | None:
    file = package / "__init__.py"
    return ast.get_docstring(ast.parse(file.read_text())) if file.exists() else None


def git(*arguments: str) -> str:
    """The output of git; empty where there is none, or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def code_lines(source: str) -> list[str]:
    tree = ast.parse(source)
    left_out: set[int] = set()
    for node in ast.walk(tree):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_docstring or isinstance(node, ast.Import | ast.ImportFrom):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(source.splitlines(), start=1)
    code = [line for number, line in lines if number not in left_out]
    return [line for line in code if line.strip() and not line.lstrip().startswith("#")]
