"""Invalid values of scalars are refused with their position, in literals and variables."""

from typing import Any

from support.graphql_client import Endpoint

DATES = "aiTests(filter: {createdAt: {gt: %s}}) { totalCount }"
MONEY = "aiTests(filter: {cost: {gt: %s}}) { totalCount }"
COUNTS = "aiTests(filter: {tokensUsed: {in: [1, %s]}}) { totalCount }"
SCORES = "aiTests(filter: {impossibilityScore: {gt: %s}}) { totalCount }"
TIME = "DateTime must be written like 2026-11-20T09:30:00Z, with an offset or Z."
DECIMAL = 'Decimal must be a string of digits, like "0.002500".'
BIG_INT = "BigInt must be a whole number of at most 63 bits, or a string of one."
WRONG: list[tuple[str, str, str, Any, str]] = [
    (DATES, "DateTime", '"noon"', "noon", TIME),
    (DATES, "DateTime", "5", 5, TIME),
    (DATES, "DateTime", "{a: 1}", {"a": 1}, TIME),
    (DATES, "DateTime", "[]", {}, TIME),
    (MONEY, "Decimal", '"much"', "much", DECIMAL),
    (MONEY, "Decimal", '"1_000"', "1_000", DECIMAL),
    (MONEY, "Decimal", '"\u0661"', "\u0661", DECIMAL),
    (MONEY, "Decimal", '"NaN"', "NaN", DECIMAL),
    (MONEY, "Decimal", '"Infinity"', "Infinity", DECIMAL),
    (MONEY, "Decimal", '" 1"', " 1", DECIMAL),
    (MONEY, "Decimal", "true", True, DECIMAL),
    (MONEY, "Decimal", "{a: [1]}", {"a": [1]}, DECIMAL),
    (MONEY, "Decimal", '"1E+131072"', "1E+131072", "has more than 400 digits"),
    (MONEY, "Decimal", '"1e-999999999"', "1e-999999999", "has more than 400 digits"),
    (COUNTS, "BigInt", "9223372036854775808", 2**63, BIG_INT),
    (COUNTS, "BigInt", "1.5", 1.5, BIG_INT),
    (COUNTS, "BigInt", '"1_0"', "1_0", BIG_INT),
    (COUNTS, "BigInt", '"' + "1" * 5_000 + '"', "1" * 5_000, BIG_INT),
    (COUNTS, "BigInt", "{}", {}, BIG_INT),
    (SCORES, "Float", '"1"', "1", "Float cannot represent non numeric value"),
    (SCORES, "Float", "true", True, "Float cannot represent non numeric value"),
]


async def test_a_wrong_literal_is_refused_with_its_place(endpoint: Endpoint) -> None:
    for field, _, literal, _, message in WRONG:
        query = f"{{ {field % literal} }}"
        [error] = (await endpoint.answer(query))["errors"]
        assert message in error["message"]
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        [place] = error["locations"]
        assert query[place["column"] - 1 :].startswith(literal[:3])


async def test_a_wrong_variable_is_refused_with_its_place(endpoint: Endpoint) -> None:
    for field, type_, _, value, message in WRONG:
        query = f"query Wrong($v: {type_}!) {{ {field % '$v'} }}"
        [error] = (await endpoint.answer(query, {"v": value}))["errors"]
        assert error["message"].startswith("Variable '$v' has invalid value: ")
        assert message in error["message"]
        assert error["locations"] == [{"line": 1, "column": query.index("$v") + 1}]


async def test_a_wrong_value_in_an_input_is_refused_with_its_place(endpoint: Endpoint) -> None:
    query = """query ($filter: AiTestFilter) {
        aiTests(filter: $filter) { totalCount } }"""
    filter = {"and": [{"cost": {"gt": "1"}}, {"cost": {"in": ["1", "much"]}}]}
    [error] = (await endpoint.answer(query, {"filter": filter}))["errors"]
    where = "Variable '$filter' has invalid value at .and[1].cost.in[1]: "
    assert error["message"] == where + DECIMAL
    assert error["locations"] == [{"line": 1, "column": 8}]


async def test_a_float_beyond_64_bits_is_refused(endpoint: Endpoint) -> None:
    beyond = "Float cannot represent a number beyond the range of 64-bit floats."
    long = "has more than 400 digits"
    for number, message in [("1.8e308", beyond), ("-2E+320", beyond), ("1e400", long)]:
        [error] = (await endpoint.answer(f"{{ {SCORES % number} }}"))["errors"]
        assert message in error["message"]
        assert len(error["locations"]) == 1

        query = f"query ($v: Float!) {{ {SCORES % '$v'} }}"
        body = f'{{"query": "{query}", "variables": {{"v": {number}}}}}'
        headers = {"content-type": "application/json"}
        response = await endpoint.client.post("/graphql", content=body, headers=headers)
        [error] = response.json()["errors"]
        assert message in error["message"]
