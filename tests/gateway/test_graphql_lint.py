"""The schema and operations have no finding of graphql-eslint but those named here."""

import shutil
from asyncio import create_subprocess_exec, subprocess
from pathlib import Path
from typing import Any

import orjson

from support.nodejs import BINARIES, TESTS, installed

FOLDER = TESTS / "front_ends"
NAMED = {
    # `name` alone would be that of a single value; filters, orders and files have it as it is.
    ("no-typename-prefix", 'Field "metricName" starts with the name of the parent type "Metric"'),
    # The specification describes it.
    ("require-description", 'Description is required for directive "oneOf"'),
    # A stage of a dream is found by its dream alone.
    ("relay-edge-types", "Edge type's field `node` must implement `Node` interface."),
    # Several tables are read from the newest on; nobody goes back from the end of what was found.
    *(
        (
            "relay-arguments",
            f"Field `search` must contain an argument `{name}`, that return {type_}.",
        )
        for name, type_ in (("before", "String or Scalar"), ("last", "Int"))
    ),
}


def project(folder: Path) -> Path:
    """The schema, the operations of the tests, and those of the examples."""
    for name in ("eslint.config.js", "package.json"):
        shutil.copy(FOLDER / name, folder)
    shutil.copy(TESTS.parent / "schema.graphql", folder)
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    only_operations = shutil.ignore_patterns("*.py", "*.json", "__pycache__")
    shutil.copytree(TESTS / "golden", folder / "operations" / "golden", ignore=only_operations)
    shutil.copy(FOLDER / "python" / "operations.graphql", folder / "operations")
    return folder


async def lint(folder: Path) -> list[Any]:
    """The files that were read, with their findings."""
    command = ("node_modules/eslint/bin/eslint.js", "--format", "json", "schema.graphql")
    process = await create_subprocess_exec(
        *(BINARIES / "node", *command, "operations/**/*.graphql"),
        cwd=folder,
        stdout=subprocess.PIPE,
    )
    out, _ = await process.communicate()
    read: list[Any] = orjson.loads(out)
    return read


def findings(read: list[Any]) -> set[tuple[str, str]]:
    return {
        (str(found["ruleId"]).removeprefix("@graphql-eslint/"), found["message"])
        for file in read
        for found in file["messages"]
    }


async def test_findings_are_named(tmp_path: Path) -> None:
    await installed(FOLDER)
    folder = project(tmp_path)

    read = await lint(folder)

    assert findings(read) == NAMED
    assert len(read) == 2 + len(list((TESTS / "golden").rglob("*.graphql")))


async def test_a_finding_is_found(tmp_path: Path) -> None:
    await installed(FOLDER)
    folder = project(tmp_path)
    schema = folder / "schema.graphql"
    schema.write_text(schema.read_text() + "\ntype lower {\n  a: Int\n}\n")
    (folder / "operations" / "other.graphql").write_text("{ dreams { nodes { title } } }")

    rules = {rule for rule, _ in findings(await lint(folder))}

    assert {"naming-convention", "require-description", "no-unreachable-types"} <= rules
    assert {"no-anonymous-operations", "require-selections"} <= rules
