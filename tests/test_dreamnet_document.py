"""The table of DreamNet's systems: what it names exists, and nothing is missing without a word."""

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLInterfaceType, GraphQLObjectType
from typer.main import get_command

from db.exporter import NOUNS
from gateway.cli.main import app
from gateway.settings import Settings
from graph.schema import schema

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = "\n".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.py")))
NAMED = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)#]+)?(?:#([^)]+))?\)")
TYPES = {
    name: set(type.fields)
    for name, type in schema._schema.type_map.items()
    if isinstance(type, GraphQLObjectType | GraphQLInterfaceType)
}
FIELDS = set().union(*TYPES.values())


def rows() -> list[tuple[str, str]]:
    """Each system, and what implements it."""
    lines = [line for line in (DOCS / "dreamnet.md").read_text().splitlines() if line[:1] == "|"]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        (row[0], row[-1]) for row in cells if len(row) == 3 and row[0] not in ("document", "---")
    ]


def named() -> Iterator[tuple[str, str]]:
    for system, implementation in rows():
        for name in NAMED.findall(implementation):
            yield system, name


def exists(name: str) -> bool:
    if name.startswith("dreamnet "):
        return is_command(name.split()[1:])
    if re.fullmatch(r"DREAMNET_\w+", name):
        return name.removeprefix("DREAMNET_").split("=")[0].lower() in Settings.model_fields
    if re.fullmatch(r"[A-Z]\w+\.\w+", name):
        type, field = name.split(".")
        return field in TYPES.get(type, ())
    return name in FIELDS or name in NOUNS or is_text(name) or is_text(name.lower())


def is_command(words: list[str]) -> bool:
    """Words up to the first argument of a command name it."""
    command = get_command(app)
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None:
            return True
        if word not in commands:
            return False
        command = commands[word]
    return True


def is_text(name: str) -> bool:
    """Paths, kinds and types of events are literals of the code."""
    text = re.escape(name.partition("=")[0].partition("…")[0].removeprefix("GET "))
    return re.search(rf"['\"]{text}|\b{text}\b\s*=", SOURCE) is not None


def test_the_table_has_rows() -> None:
    assert len(rows()) > 30
    assert {system[:3] for system, _ in rows()} == {"000", "001", "002", "003", "004", "age"}


def test_what_implements_each_system_exists() -> None:
    wrong = [(system, name) for system, name in named() if name != "missing" and not exists(name)]
    assert wrong == []


def test_names_that_do_not_exist_are_found() -> None:
    wrong = ("dreamnet fly", "DREAMNET_FLY", "Dream.wings", "flyAway", "GET /fly", "WINGS_GROWN")
    assert [name for name in wrong if exists(name)] == []


def test_links_lead_to_headings() -> None:
    for system, implementation in rows():
        for page, heading in LINK.findall(implementation):
            text = (DOCS / page).read_text()
            headings = {anchor(line) for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
            assert heading == "" or heading in headings, f"{system}: {page}#{heading}"


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
