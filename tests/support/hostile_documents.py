"""Hostile documents: small requests without a credential that cause as much work as possible.

Each has the code that it is refused with, or None if it is answered because it causes little work.
bench/hostile.py measures the work.
"""

from json import loads
from typing import Any, NamedTuple

PARSE = "GRAPHQL_PARSE_FAILED"
INVALID = "GRAPHQL_VALIDATION_FAILED"
COMPLEX = "QUERY_TOO_COMPLEX"
INPUT = "BAD_USER_INPUT"
ANONYMOUS = "UNAUTHENTICATED"


class Hostile(NamedTuple):
    """A document, the code it is refused with, and its variables."""

    text: str
    code: str | None
    variables: dict[str, Any] | None = None


def times(number: int, pattern: str, between: str = " ") -> str:
    """A pattern that many times, with `#` for the number."""
    return between.join(pattern.replace("#", str(n)) for n in range(number))


def nested(number: int, before: str, inside: str = "", after: str = "}") -> str:
    """Something that many times within itself."""
    return before * number + inside + after * number


def doubling(number: int, field: str = "") -> str:
    """Fragments that each spread the next one twice."""
    spread = "".join(
        f"fragment F{n} on Query {{ ...F{n + 1} {field} ...F{n + 1} }}" for n in range(number)
    )
    return f"{{ ...F0 }} {spread} fragment F{number} on Query {{ __typename }}"


def circular(number: int) -> str:
    """Fragments in a circle."""
    spread = "".join(f"fragment F{n} on Query {{ ...F{(n + 1) % number} }}" for n in range(number))
    return f"{{ ...F0 }} {spread}"


def overlapping(number: int) -> str:
    """Nested inline fragments, with fields that must all be compared."""
    return "{ " + nested(number, "viewer { role } ... on Query { ", "__typename") + " }"


def types(number: int) -> str:
    """Introspection that walks from fields to their types and back."""
    return "{ __schema { types { " + nested(number, "fields { type { ", "name", "} }") + " } } }"


MODELS = "query ($filter: AiModelFilter) { aiModels(filter: $filter) { totalCount } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
WHO = "{ viewer { role } }"

DOCUMENTS = {
    "fragments double 25 times": Hostile(doubling(25), COMPLEX),
    "fragments double 60 times": Hostile(doubling(60), COMPLEX),
    "fields double 60 times": Hostile(doubling(60, "viewer { role }"), COMPLEX),
    "aliases double 60 times": Hostile(doubling(60, "a: viewer { role }"), COMPLEX),
    "fragment in itself": Hostile("{ ...F } fragment F on Query { ...F }", INVALID),
    "fragments in each other": Hostile(circular(2), INVALID),
    "circle of 200 fragments": Hostile(circular(200), COMPLEX),
    "cycle through fields": Hostile(
        "{ node(id: 1) { ...F } } fragment F on Dream { remixes { nodes { ...F } } }", INVALID
    ),
    "chain of 90 fragments": Hostile(
        "{ ...F0 } "
        + "".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(90))
        + "fragment F90 on Query { __typename }",
        None,
    ),
    "90 unused fragments": Hostile(WHO + times(90, "fragment F# on Viewer { role }"), INVALID),
    "240 unused fragments": Hostile(WHO + times(240, "fragment F# on Viewer { role }"), COMPLEX),
    "one fragment 240 times": Hostile(WHO + times(240, "fragment F on Viewer { role }"), COMPLEX),
    "10,000 aliases": Hostile("{" + times(10_000, "a#: viewer { role }") + "}", INPUT),
    "400 aliases": Hostile("{ viewer {" + times(400, "a#: role") + "} }", COMPLEX),
    "one field 1,900 times": Hostile("{ viewer {" + times(1_900, "role") + "} }", COMPLEX),
    "one alias for two fields": Hostile(
        "{ viewer {" + times(15, "a: role a: scopes") + "} }", INVALID
    ),
    "overlapping inline fragments": Hostile(overlapping(20), COMPLEX),
    "more overlapping inline fragments": Hostile(overlapping(195), COMPLEX),
    "150 overlapping fields": Hostile(
        "{ viewer {" + times(150, "user { dreams { nodes { id } } }") + "} }", COMPLEX
    ),
    "50 overlapping fields": Hostile(
        "{ viewer {" + times(50, "user { dreams { nodes { id title tags } } }") + "} }", INVALID
    ),
    "fields repeated in a fragment": Hostile(
        "{ viewer {"
        + times(20, "...F")
        + "} } fragment F on Viewer {"
        + times(40, "role scopes")
        + "}",
        COMPLEX,
    ),
    "200,000 comments": Hostile("#\n" * 200_000 + WHO, INPUT),
    "9,000 comments": Hostile("#\n" * 9_000 + WHO, PARSE),
    "one comment of 19 kB": Hostile("#" * 19_000 + "\n" + WHO, None),
    "19 kB of commas": Hostile("," * 19_000 + WHO, None),
    "9,900 levels": Hostile(nested(9_900, "{a"), COMPLEX),
    "600 levels": Hostile(nested(600, "{a"), PARSE),
    "150 levels": Hostile(nested(150, "{a"), COMPLEX),
    "450 inline fragments in each other": Hostile(
        "{" + nested(450, "...{", "__typename") + "}", PARSE
    ),
    "3,000 directives": Hostile("{ viewer " + "@skip " * 3_000 + "{ role } }", PARSE),
    "600 unknown directives": Hostile("{ viewer " + times(600, "@a#") + "{ role } }", COMPLEX),
    "one directive 50 times": Hostile(
        "{ viewer " + "@skip(if: true) " * 50 + "{ role } }", INVALID
    ),
    "circular introspection": Hostile(types(6), INVALID),
    "short circular introspection": Hostile(types(4), INVALID),
    "anonymous introspection": Hostile(types(1), ANONYMOUS),
    "introspection doubling": Hostile(
        "{ __schema { types { ...F0 } } }"
        + "".join(
            f"fragment F{n} on __Type {{ ofType {{ ...F{n + 1} }} ofType {{ ...F{n + 1} }} }}"
            for n in range(12)
        )
        + "fragment F12 on __Type { name }",
        COMPLEX,
    ),
    "150 unknown fields": Hostile("{ viewer {" + times(150, "rol#") + "} }", INVALID),
    "300 unknown arguments": Hostile("{ viewer(" + times(300, "a#: 1") + ") { role } }", INVALID),
    "a name of 19 kB": Hostile("{ " + "a" * 19_000 + " }", INVALID),
    "a string of 19 kB": Hostile('{ node(id: "' + "x" * 19_000 + '") { id } }', INPUT),
    "a string of 60 kB": Hostile('{ node(id: "' + "x" * 60_000 + '") { id } }', COMPLEX),
    "a block string of 9,000 lines": Hostile(
        '{ node(id: """' + " \n" * 9_000 + '""") { id } }', INPUT
    ),
    "3,000 escapes": Hostile('{ node(id: "' + "\\u00e9" * 3_000 + '") { id } }', INPUT),
    "escapes of half a character": Hostile('{ node(id: "\\uD83D") { id } }', PARSE),
    "a number of 19,000 digits": Hostile(
        "{ aiModels(first: " + "9" * 19_000 + ") { totalCount } }", INVALID
    ),
    "300 operations": Hostile(times(300, "query Q# { __typename }"), COMPLEX),
    "300 operations of one name": Hostile(times(300, "query Q { __typename }"), COMPLEX),
    "400 unused variables": Hostile("query (" + times(400, "$a#: Int") + ") " + WHO, INVALID),
    "400 undeclared variables": Hostile(
        "{ nodes(ids: [" + times(400, "$a#") + "]) { id } }", INVALID
    ),
    "lists 9,000 deep": Hostile(
        "{ aiModels(orderBy: " + nested(9_000, "[", "1", "]") + ") { totalCount } }", PARSE
    ),
    "lists 400 deep": Hostile(
        "{ aiModels(orderBy: " + nested(400, "[", "1", "]") + ") { totalCount } }", PARSE
    ),
    "filters 300 deep": Hostile(
        "{ aiModels(filter: " + nested(300, "{not:", "{}") + ") { totalCount } }", PARSE
    ),
    "objects 400 deep": Hostile(
        "{ aiModels(filter: " + nested(400, "{a:", "1") + ") { totalCount } }", PARSE
    ),
    "types 400 deep": Hostile("query ($a: " + nested(400, "[", "Int", "]") + ") " + WHO, PARSE),
    "filters 30 deep in variables": Hostile(
        MODELS, INPUT, {"filter": loads(nested(30, '{"not":', "{}"))}
    ),
    "100,000 values in variables": Hostile(
        MODELS, INPUT, {"filter": {"maxTokens": {"in": [1] * 100_000}}}
    ),
    "100,000 wrong values in variables": Hostile(
        MODELS, INPUT, {"filter": {"maxTokens": {"in": ["x"] * 100_000}}}
    ),
    "a wrong value of 500 kB": Hostile(
        MODELS, INPUT, {"filter": {"maxTokens": {"eq": "x" * 500_000}}}
    ),
    "20,000 ids": Hostile(NODES, INPUT, {"ids": ["dream_" + "0" * 32] * 20_000}),
    "pages in pages": Hostile(
        "{ aiModels(first: 100) { nodes {" + times(9, "s#: statistics { testCount }") + "} } }",
        COMPLEX,
    ),
    "200 mutations": Hostile(
        "mutation {" + times(200, 'm#: deleteDream(input: {id: "1"}) { __typename }') + "}", PARSE
    ),
}
