"""Hostile inputs: small values that are expensive to read, compare or search by. bench/hostile.py
measures the work, without a credential and for an operator."""

from decimal import Decimal
from typing import Any, NamedTuple

from support.hostile_documents import MODELS, NODES, WHO, times


class HostileInput(NamedTuple):
    """A document and the variables that are hostile."""

    text: str
    variables: dict[str, Any] | None = None


DREAMS = "query ($f: DreamFilter) { dreams(first: 1, filter: $f) { totalCount } }"
ORDERED = "query ($o: [DreamOrder!]) { dreams(first: 1, orderBy: $o) { totalCount } }"
SEARCHED = "query ($s: String) { dreams(first: 1, search: $s) { totalCount } }"
EMPTY: dict[str, Any] = {}
TITLED = {"title": {"contains": "e"}}
LOGS = "query ($f: ProgressLogFilter) { progressLogs(filter: $f) { totalCount } }"


def aliased(number: int, declared: str, field: str) -> str:
    """A field under that many aliases, which share a variable."""
    return f"query ({declared}) {{" + times(number, f"a#: {field}") + "}"


def nested(levels: int, inside: Any) -> Any:
    """A filter in that many others."""
    return {"not": nested(levels - 1, inside)} if levels else inside


def spread(number: int, field: str) -> str:
    """A fragment that is spread into that many aliases of one field."""
    return (
        "query ($f: DreamFilter) {"
        + times(number, "a#: viewer { user { ...F } }")
        + "} fragment F on User {"
        + field
        + "}"
    )


def deep(levels: int) -> dict[str, Any]:
    """An object in that many others."""
    return {"a": deep(levels - 1)} if levels else {}


ACTIONS = """mutation ($a: [TrackUserActionInput!]!) {
    trackUserActions(input: {actions: $a}) { __typename }
}"""
SHARED = "dreams(first: 1, filter: $f) { totalCount }"
LITERAL = "{" + times(20, "a#: dreams(first: 1, filter: {or: [$]}) { totalCount }") + "}"

INPUTS = {
    "or of 900 empty filters": HostileInput(DREAMS, {"f": {"or": [EMPTY] * 900}}),
    "or of 20,000 empty filters": HostileInput(DREAMS, {"f": {"or": [EMPTY] * 20_000}}),
    "or of 400,000 empty filters": HostileInput(DREAMS, {"f": {"or": [EMPTY] * 400_000}}),
    "90 empty filters of 9 empty filters": HostileInput(
        DREAMS, {"f": {"or": [{"or": [EMPTY] * 9}] * 90}}
    ),
    "100 conditions": HostileInput(DREAMS, {"f": {"and": [TITLED] * 100}}),
    "50 conditions in or": HostileInput(DREAMS, {"f": {"or": [TITLED] * 50}}),
    "20 aliases of 900 empty filters": HostileInput(
        aliased(20, "$f: DreamFilter", SHARED), {"f": {"or": [EMPTY] * 900}}
    ),
    "20 aliases of 90 empty filters": HostileInput(
        aliased(20, "$f: DreamFilter", SHARED), {"f": {"or": [EMPTY] * 90}}
    ),
    "20 aliases of 90 conditions": HostileInput(
        aliased(20, "$f: DreamFilter", SHARED), {"f": {"or": [TITLED] * 90}}
    ),
    "20 aliases of 15 literal filters": HostileInput(LITERAL.replace("$", "{}" * 70)),
    "20 aliases of 15 literal conditions": HostileInput(
        LITERAL.replace("$", '{title: {eq: "e"}}' * 9), None
    ),
    "20 spreads of a filter": HostileInput(spread(20, SHARED), {"f": {"or": [TITLED] * 40}}),
    "a filter of 45 values for each of 100 rows": HostileInput(
        "query ($f: DreamFilter) { dreams(first: 100) { nodes "
        "{ remixes(first: 1, filter: $f) { totalCount } } } }",
        {"f": {"or": [TITLED] * 14}},
    ),
    "a literal of 45 values for each of 100 rows": HostileInput(
        "{ dreams(first: 100) { nodes { remixes(first: 1, filter: {or: ["
        + '{title: {contains: "e"}} ' * 14
        + "]}) { totalCount } } } }"
    ),
    "a literal of 93 values for each of 100 rows": HostileInput(
        "{ dreams(first: 100) { nodes { remixes(first: 1, filter: {or: ["
        + '{title: {contains: "e"}} ' * 30
        + "]}) { totalCount } } } }"
    ),
    "6 aliases of 100 conditions": HostileInput(
        aliased(6, "$f: DreamFilter", "dreams(first: 1, filter: $f) { totalCount }"),
        {"f": {"or": [TITLED] * 100}},
    ),
    "3 aliases of 100 conditions": HostileInput(
        aliased(3, "$f: DreamFilter", "dreams(first: 1, filter: $f) { totalCount }"),
        {"f": {"or": [TITLED] * 100}},
    ),
    "600 spreads of a filter of 18,000 values": HostileInput(
        "query ($f: DreamFilter) { viewer { user {"
        + " ...F" * 600
        + "} } } fragment F on User { dreams(filter: $f) { totalCount } }",
        {"f": {"or": [TITLED] * 6_000}},
    ),
    "a list of one variable 600 times": HostileInput(
        "query ($f: DreamFilter!) { dreams(filter: {or: [" + "$f " * 600 + "]}) { totalCount } }",
        {"f": {"or": [TITLED] * 300}},
    ),
    "a whole number of 2,000,000 digits": HostileInput(
        MODELS, {"filter": {"maxTokens": {"eq": "9" * 2_000_000}}}
    ),
    "a decimal of 2,000,000 digits": HostileInput(
        MODELS, {"filter": {"inputPrice": {"eq": "9" * 2_000_000}}}
    ),
    "a time of 2,000,000 digits": HostileInput(
        DREAMS, {"f": {"createdAt": {"eq": "2026-01-01T00:00:00." + "0" * 2_000_000 + "Z"}}}
    ),
    "an id of 2,000,000 characters": HostileInput(NODES, {"ids": ["dream_" + "0" * 2_000_000]}),
    "a text of 2,000,000 escapes": HostileInput(SEARCHED, {"s": "\x01" * 300_000}),
    "a text of 2,000,000 brackets": HostileInput(SEARCHED, {"s": "[{," * 600_000}),
    "30,000 terms of an order": HostileInput(ORDERED, {"o": [{"field": "TITLE"}] * 30_000}),
    "900 terms of an order": HostileInput(ORDERED, {"o": [{"field": "TITLE"}] * 900}),
    "300,000 ids": HostileInput(NODES, {"ids": ["dream_" + "0" * 32] * 300_000}),
    "900 ids": HostileInput(NODES, {"ids": ["dream_" + "0" * 32] * 900}),
    "20 aliases of 40 ids": HostileInput(
        aliased(20, "$ids: [ID!]!", "nodes(ids: $ids) { id }"),
        {"ids": ["dream_" + "0" * 32] * 40},
    ),
    "1,000 titles": HostileInput(DREAMS, {"f": {"title": {"in": ["x"] * 990}}}),
    "20 aliases of 1,000 titles": HostileInput(
        aliased(20, "$f: DreamFilter", SHARED), {"f": {"title": {"in": ["x"] * 990}}}
    ),
    "300,000 titles": HostileInput(DREAMS, {"f": {"title": {"in": ["x"] * 300_000}}}),
    "90 titles of 600 characters": HostileInput(
        DREAMS, {"f": {"or": [{"title": {"contains": "%_" * 300}}] * 90}}
    ),
    "1,000 numbers of 50 digits": HostileInput(
        MODELS, {"filter": {"costPer1kTokens": {"in": ["1" * 50] * 900}}}
    ),
    "100 numbers of 400 digits": HostileInput(
        MODELS, {"filter": {"inputPrice": {"in": [int("1" * 390)] * 100}}}
    ),
    "a number of 60,000 digits": HostileInput(
        MODELS, {"filter": {"inputPrice": {"eq": "1" * 60_000}}}
    ),
    "1,000 times": HostileInput(
        DREAMS, {"f": {"createdAt": {"in": ["2026-01-01T00:00:00.000001Z"] * 900}}}
    ),
    "1,000 ids of a filter": HostileInput(
        DREAMS, {"f": {"id": {"in": ["dream_" + "0" * 32] * 900}}}
    ),
    "1,000 wrong ids": HostileInput(DREAMS, {"f": {"id": {"in": ["x"] * 900}}}),
    "1,000 unknown fields": HostileInput(DREAMS, {"f": {f"a{n}": 1 for n in range(900)}}),
    "900 wrong filters": HostileInput(DREAMS, {"f": {"or": [{"x": 1}] * 450}}),
    "1,000 undeclared variables": HostileInput(
        "{ viewer { role } }", {f"a{n}": 1 for n in range(900)}
    ),
    "a search of 60 words": HostileInput(SEARCHED, {"s": "a1 or " * 80}),
    "a search of 500 characters": HostileInput(SEARCHED, {"s": "a " * 249}),
    "20 searches": HostileInput(
        aliased(20, "$s: String", "dreams(first: 1, search: $s) { totalCount }"),
        {"s": "b " * 249},
    ),
    "40 conditions through a relation": HostileInput(
        LOGS, {"f": {"and": [{"dream": TITLED}] * 40}}
    ),
    "a filter 6 deep": HostileInput(DREAMS, {"f": nested(5, TITLED)}),
    "a filter 31 deep": HostileInput(DREAMS, {"f": nested(30, TITLED)}),
    "tests through a relation": HostileInput(
        DREAMS, {"f": {"and": [{"tests": {"model": {"contains": "e"}}}] * 40}}
    ),
    "a tag of 60 kB": HostileInput(DREAMS, {"f": {"tags": {"hasAny": ["x" * 60_000]}}}),
    "JSON of 900 keys": HostileInput(
        'mutation ($p: JSON) { logEvent(input: {eventType: "a", source: "b", payload: $p}) '
        "{ __typename } }",
        {"p": {f"k{n}": n for n in range(900)}},
    ),
    "JSON of 400,000 values": HostileInput(
        'mutation ($p: JSON) { logEvent(input: {eventType: "a", source: "b", payload: $p}) '
        "{ __typename } }",
        {"p": [1] * 400_000},
    ),
    "JSON 30 deep and wide": HostileInput(
        'mutation ($p: JSON) { logEvent(input: {eventType: "a", source: "b", payload: $p}) '
        "{ __typename } }",
        {"p": [[[[1] * 9] * 9] * 9]},
    ),
    "400,000 empty tests": HostileInput(
        "mutation ($t: [RecordAiTestInput!]!) { recordAiTests(input: {tests: $t}) { __typename } }",
        {"t": [EMPTY] * 400_000},
    ),
    "1,000 tests": HostileInput(
        "mutation ($t: [RecordAiTestInput!]!) { recordAiTests(input: {tests: $t}) { __typename } }",
        {"t": [{"dreamId": "dream_" + "0" * 32, "provider": "p", "model": "m"}] * 1_000},
    ),
    "500 tests of 40 values": HostileInput(
        "mutation ($t: [RecordAiTestInput!]!) { recordAiTests(input: {tests: $t}) { __typename } }",
        {
            "t": [
                {
                    "dreamId": "dream_" + "0" * 32,
                    "provider": "p",
                    "model": "m",
                    "testParameters": {f"k{n}": n for n in range(35)},
                }
            ]
            * 500
        },
    ),
    "1,000 actions of 19 values": HostileInput(
        ACTIONS,
        {"a": [{"action": "a", "metadata": {f"k{n}": n for n in range(15)}}] * 1_000},
    ),
    "1,000 reports of 18 values": HostileInput(
        "mutation ($r: [AgentStatusItem!]!) "
        "{ reportAgentStatuses(input: {reports: $r}) { __typename } }",
        {
            "r": [
                {
                    "agentKey": f"agent-{number}",
                    "status": "RUNNING",
                    "performanceMetrics": {f"k{n}": n for n in range(13)},
                }
                for number in range(1_000)
            ]
        },
    ),
    "1,000 events of 19 values": HostileInput(
        "mutation ($e: [EventItem!]!) { logEvents(input: {events: $e}) { __typename } }",
        {
            "e": [{"eventType": "a", "source": "b", "payload": {f"k{n}": n for n in range(15)}}]
            * 1_000
        },
    ),
    "1,000 metrics of 18 values": HostileInput(
        "mutation ($m: [RecordMetricInput!]!) "
        "{ recordMetrics(input: {metrics: $m}) { __typename } }",
        {
            "m": [{"metricName": "m", "value": 1.5, "tags": {f"k{n}": "v" for n in range(14)}}]
            * 1_000
        },
    ),
    "1,000 actions of exact numbers": HostileInput(
        ACTIONS,
        {"a": [{"action": "a", "metadata": {f"k{n}": Decimal("1.10") for n in range(15)}}] * 1_000},
    ),
    "actions 30 deep": HostileInput(
        ACTIONS,
        {"a": [{"action": "a", "metadata": deep(28)}] * 600},
    ),
    "1,000 wrong actions": HostileInput(
        ACTIONS,
        {"a": [{f"k{n}": n for n in range(18)}] * 1_000},
    ),
    "20,000 exact numbers": HostileInput(WHO, {"a": [Decimal("1.10")] * 19_900}),
    "900 exact numbers": HostileInput(WHO, {"a": [Decimal("12345678901234567.123456")] * 900}),
    "400,000 tags": HostileInput(
        'mutation ($t: [String!]!) { createDream(input: {title: "t", tags: $t}) { __typename } }',
        {"t": ["x"] * 400_000},
    ),
}
