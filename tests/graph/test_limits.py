"""Limits: a hostile document is refused before anything of it is expanded or executed.

Work is counted in function calls, which do not depend on how busy the machine is.
"""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from graph.core.execution import limits
from graph.core.execution.bounds import Limits
from graph.core.execution.limits import INTROSPECTION_DEPTH
from graph.core.execution.operation import InvalidOperation, prepare
from graph.schema import schema

LIMITS = Limits()
SAID = "The operation is too large: at most {} {} are allowed."
DEPTH = SAID.format(LIMITS.depth, "levels")
FIELDS = SAID.format(LIMITS.selections, "fields")
ROOTS = SAID.format(LIMITS.root_fields, "root fields")
ALIASES = SAID.format(LIMITS.aliases, "aliases")
DIRECTIVES = SAID.format(LIMITS.directives, "directives")
INTROSPECTION = SAID.format(INTROSPECTION_DEPTH, "levels of introspection")
REFUSALS = {"QUERY_TOO_COMPLEX", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}

# graphql-core gives validation a budget; what it spends at most is about half a second.
MOST_CALLS = 2_000_000


def refused(text: str) -> list[tuple[str, str]]:
    """The messages and codes that a document is refused with."""
    with pytest.raises(InvalidOperation) as failed:
        prepare(schema, text)
    return [(error.message, error.extensions["code"]) for error in failed.value.errors]


def calls(work: Callable[[], Any]) -> int:
    """How many Python functions a piece of work calls."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def nested(depth: int, innermost: str = "title") -> str:
    """A query of that many levels: dreams, nodes, remixedFrom, remixedFrom …"""
    names = ["dreams", "nodes", *["remixedFrom"] * depth][: depth - 1]
    return "{ " + " { ".join([*names, innermost]) + " }" * depth


def doubling(times: int) -> str:
    """A few hundred bytes that would expand to two to the power of `times` fields."""
    spread = "".join(
        f"fragment F{n} on Query {{ ...F{n + 1} a{n}: viewer {{ ...G }} ...F{n + 1} }} "
        for n in range(times)
    )
    return f"{{ ...F0 }} {spread} fragment F{times} on Query {{ __typename }}" + (
        " fragment G on Viewer { role }"
    )


def deeper(times: int) -> str:
    """The same, where each fragment holds the next one twice on different paths."""
    spread = " ".join(
        f"fragment F{n} on Dream {{ a: remixedFrom {{ ...F{n + 1} }}"
        f" b: remixedFrom {{ ...F{n + 1} }} }}"
        for n in range(times)
    )
    return f"{{ dreams {{ nodes {{ ...F0 }} }} }} {spread} fragment F{times} on Dream {{ id }}"


def doubled(times: int) -> str:
    """The same on one level."""
    spread = " ".join(
        f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(times)
    )
    return f"{{ viewer {{ ...F0 }} }} {spread} fragment F{times} on Viewer {{ role }}"


def introspection(depth: int) -> str:
    """A query of that many levels of introspection."""
    names = ["__schema", "types", *["ofType"] * depth][: depth - 1]
    return "{ " + " { ".join([*names, "name"]) + " }" * depth


def chained(length: int) -> str:
    """Fragments that spread one another, one after the other."""
    spread = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(length))
    return f"{{ ...F0 }} {spread} fragment F{length} on Query {{ __typename }}"


def aliased(number: int) -> str:
    """A query of one root field and that many aliases, in a fragment that is spread ten times."""
    aliases = " ".join(f"a{n}: role" for n in range(number // 10))
    return f"{{ viewer {{ {'...F ' * 10} }} }} fragment F on Viewer {{ {aliases} }}"


def directed(number: int) -> str:
    """A query with that many directives."""
    return f"{{ viewer {{ {'role @include(if: true) ' * number} }} }}"


@pytest.mark.parametrize(
    "text",
    [
        nested(LIMITS.depth),
        "{ " + "viewer { role } " * LIMITS.root_fields + "}",
        aliased(LIMITS.aliases),
        directed(LIMITS.directives),
        doubled(12),
        introspection(INTROSPECTION_DEPTH),
        chained(20),
        "{ viewer { ...F } } fragment F on Viewer { " + "role " * (LIMITS.root_fields + 1) + "}",
    ],
)
def test_documents_within_the_limits_are_prepared(text: str) -> None:
    assert prepare(schema, text).kind == "query"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (nested(LIMITS.depth + 1), [DEPTH]),
        (nested(LIMITS.depth + 100), [DEPTH]),
        ("{ " + "viewer { role } " * (LIMITS.root_fields + 1) + "}", [ROOTS]),
        ("{ ...A } fragment A on Query { " + "viewer { role } " * 21 + "}", [ROOTS]),
        (doubled(13), [FIELDS]),
        (doubled(90), [FIELDS]),
        (deeper(60), [DEPTH, FIELDS, ALIASES]),
        (aliased(LIMITS.aliases + 10), [ALIASES]),
        (directed(LIMITS.directives + 1), [DIRECTIVES]),
        (introspection(INTROSPECTION_DEPTH + 1), [INTROSPECTION]),
        ("{ a " * 150 + "}" * 150, [DEPTH]),
    ],
    ids=[
        "deep",
        "deeper",
        "wide",
        "wide by a fragment",
        "doubling",
        "doubling for long",
        "doubling and deep",
        "aliases",
        "directives",
        "introspection",
        "braces",
    ],
)
def test_too_much_is_refused(text: str, expected: list[str]) -> None:
    assert refused(text) == [(message, "QUERY_TOO_COMPLEX") for message in expected]


def test_every_limit_can_be_another_or_none() -> None:
    text = "{ a: viewer { role @skip(if: true) } node(id: 1) { id } }"
    strict = Limits(depth=1, aliases=0, directives=0, root_fields=1, selections=3)

    with pytest.raises(InvalidOperation) as failed:
        prepare(schema, text, limits=strict)

    assert [error.message for error in failed.value.errors] == [
        SAID.format(1, "levels"),
        SAID.format(1, "root fields"),
        SAID.format(3, "fields"),
    ]
    assert prepare(schema, text, limits=Limits(tokens=0, cost=0)).kind == "query"
    with pytest.raises(InvalidOperation, match="more than 5 tokens"):
        prepare(schema, text, limits=Limits(tokens=5))


@pytest.mark.parametrize(
    "text",
    [
        "{ " + " ".join(f"a{n}: viewer {{ role }}" for n in range(10_000)) + " }",
        "{ viewer { " + "role " * 200_000 + "} }",
        "{ viewer { role } } " + "{" * 100_000,
        "#\n" * 200_000 + "{ viewer { role } }",
        "{" * 100_000,
        "[" * 100_000,
        '{ node(id: "' + "x" * 10 + '") ' + "@skip(if: true) " * 10_000 + "{ id } }",
        "query (" + "$a: Int " * 10_000 + ") { __typename }",
        "{ dreams(filter: " + "{not: " * 10_000 + "{}" + "}" * 10_000 + ") { totalCount } }",
    ],
    ids=[
        "aliases",
        "fields",
        "rest",
        "comments",
        "braces",
        "brackets",
        "directives",
        "variables",
        "values",
    ],
)
def test_a_document_of_too_many_tokens_is_not_even_parsed(text: str) -> None:
    found: list[tuple[str, str]] = []

    work = calls(lambda: found.extend(refused(text)))

    assert work < 100_000
    assert len(found) == 1
    assert found[0][1] in REFUSALS


@pytest.mark.parametrize(
    "text",
    [
        f"{{ dreams(filter: {'{not: ' * 300}{{}}{'}' * 300}) {{ totalCount }} }}",
        f"{{ dreams(filter: {'{not: ' * 600}{{}}{'}' * 600}) {{ totalCount }} }}",
        f"{{ dreams(orderBy: {'[' * 400}1{']' * 400}) {{ totalCount }} }}",
        f"{{ dreams(orderBy: {'{a:' * 400}1{'}' * 400}) {{ totalCount }} }}",
        f"query ($x: {'[' * 400}Int{']' * 400}) {{ viewer {{ role }} }}",
        f"{{ node(id: $x) {{ id }} }} fragment A on Query {{ {'... {' * 400} id {'}' * 400} }}",
        "{ a " * 450 + "}" * 450,
    ],
    ids=["filters", "more filters", "lists", "objects", "types", "inline fragments", "fields"],
)
def test_other_deep_nesting_is_refused(text: str) -> None:
    assert _try(text) & REFUSALS


@pytest.mark.parametrize("make", [doubling, deeper])
def test_expanded_fragments_are_counted_without_expansion(make: Callable[[int], str]) -> None:
    document = parse(make(60))

    assert calls(lambda: limits.check(document, LIMITS)) < 10_000


@pytest.mark.parametrize("text", [doubling(60), deeper(60), chained(240)])
def test_a_short_document_is_little_work(text: str) -> None:
    assert len(text) < 10_000
    assert calls(lambda: _try(text)) < MOST_CALLS


@pytest.mark.parametrize(
    "text",
    [
        "{ viewer { " + "role " * 1_900 + "} }",
        "{ viewer { " + " ".join(f"r{n}: role" for n in range(600)) + " } }",
        "{ " + "viewer { role scopes } " * 20 + "}",
        "{ dreams { nodes { " + "owner { dreams { nodes { id title } } } " * 150 + "} } }",
        "{ dreams { " + "nodes { " + "remixes { nodes { id " * 5 + "} } " * 5 + "} " + "} }",
    ],
)
def test_a_field_repeated_is_little_work(text: str) -> None:
    assert calls(lambda: _try(text)) < MOST_CALLS


@pytest.mark.parametrize(
    "text",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ viewer { ...A } } fragment A on Viewer { user { dreams { nodes { owner { ...B } } } } }"
        " fragment B on User { dreams { nodes { owner { ...B } } } }",
    ],
)
def test_fragments_that_spread_themselves_are_refused(text: str) -> None:
    found = refused(text)

    assert {code for _, code in found} == {"GRAPHQL_VALIDATION_FAILED"}
    assert any("within itself" in message for message, _ in found)


@pytest.mark.parametrize("length", range(10, 220, 10))
def test_a_chain_of_fragments_is_followed_or_refused(length: int) -> None:
    assert _try(chained(length)) <= REFUSALS


def test_the_introspection_of_tools_passes() -> None:
    text = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )

    assert prepare(schema, text).name == "IntrospectionQuery"


def _try(text: str) -> set[str]:
    """Prepares a document; the codes it is refused with, if it is."""
    try:
        prepare(schema, text)
    except InvalidOperation as failed:
        return {error.extensions["code"] for error in failed.errors}
    return set()
