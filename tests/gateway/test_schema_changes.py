"""Changes of the schema, compared with releases: what may disappear, and when."""

from pathlib import Path

import pytest
import strawberry
from graphql import build_schema

from gateway.cli.schema_changes import Version, breaking_changes, compare, releases
from gateway.exit_codes import CommandFailed
from graph.core.permission import PUBLIC
from graph.core.types.field import field

RELEASED = """
type Query { dream: Dream, prize: Prize @deprecated(reason: "Use `dream`.") }
type Dream { title: String, score: Float @deprecated(reason: "Use `title`."), by(at: Int): Int }
type Prize { amount: Int }
enum Status { ON, OFF @deprecated(reason: "Use `ON`.") }
type Mutation { edit(input: EditInput!, status: Status): Int }
input EditInput { title: String, score: Float @deprecated(reason: "Use `title`.") }
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (', score: Float @deprecated(reason: "Use `title`."), by', ", by"),
        (', prize: Prize @deprecated(reason: "Use `dream`.")', ""),
        (', score: Float @deprecated(reason: "Use `title`.") }', " }"),
        (', OFF @deprecated(reason: "Use `ON`.")', ""),
    ],
)
def test_deprecated_elements_may_go_in_the_next_minor_version(before: str, after: str) -> None:
    assert before in RELEASED
    changed = build_schema(
        RELEASED.replace(before, after).replace(
            "type Prize { amount: Int }", "" if "prize" in before else "type Prize { amount: Int }"
        )
    )

    assert breaking_changes(RELEASED, changed, is_later_minor=True) == []
    assert breaking_changes(RELEASED, changed, is_later_minor=False) != []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dream: Dream,", ""),
        ("title: String, score: Float @dep", "score: Float @dep"),
        ("by(at: Int): Int", "by(at: Int!): Int"),
        ("by(at: Int): Int", "by: Int"),
        ("by(at: Int): Int", "by(at: Int): String"),
        ("ON,", ""),
        ("input EditInput { title: String,", "input EditInput { title: String, must: Int!,"),
        ("type Prize { amount: Int }", "type Prize { amounts: Int }"),
    ],
)
def test_all_else_stays(before: str, after: str) -> None:
    assert before in RELEASED
    changed = build_schema(RELEASED.replace(before, after, 1), assume_valid=True)
    is_deprecated = "Prize" in before  # only a deprecated field shows it

    assert breaking_changes(RELEASED, changed, is_later_minor=False) != []
    assert (breaking_changes(RELEASED, changed, is_later_minor=True) == []) is is_deprecated


def test_a_field_is_declared_deprecated() -> None:
    @strawberry.type
    class Query:
        dream: int = field("A dream.", PUBLIC, lambda: 1, deprecated="Use `dreams`.")

    printed = strawberry.Schema(query=Query).as_str()

    assert 'dream: Int! @deprecated(reason: "Use `dreams`.")' in printed


def test_additions_break_no_client() -> None:
    changed = build_schema(RELEASED.replace("amount: Int", "amount: Int, name: String"))

    assert breaking_changes(RELEASED, changed, is_later_minor=False) == []


def test_all_releases_of_the_newest_minor_version_count(tmp_path: Path) -> None:
    for name in ("0.9.0", "0.10.0", "0.10.1"):
        (tmp_path / f"{name}.graphql").write_text("type Query { a: Int, b: Int }")

    assert list(releases(tmp_path)) == [Version(0, 10, 0), Version(0, 10, 1)]
    with pytest.raises(CommandFailed) as failed:
        compare(tmp_path, build_schema("type Query { a: Int }"))
    assert str(failed.value).splitlines()[:2] == [
        "0.10.0.graphql: Field Query.b was removed.",
        "0.10.1.graphql: Field Query.b was removed.",
    ]
