"""Search: by words and their stems; without any, no condition; and of a bounded length."""

import pytest

from db import Database
from support.factories import make_dream
from support.graphql_client import Endpoint, codes

SEARCH = "query ($words: String) { dreams(search: $words) { nodes { title } totalCount } }"
TITLES = ["Folding proteins", "Fold a letter", "The protein of the sea"]


@pytest.fixture
async def dreams(database: Database) -> None:
    for title in TITLES:
        await make_dream(database, title=title)


@pytest.mark.usefixtures("dreams")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("folded PROTEIN", [0]),
        ('"folding proteins"', [0]),
        ('"proteins folding"', []),
        ("letter or sea", [1, 2]),
        ("protein -sea", [0]),
        ("the protein", [0, 2]),
        ("whale", []),
        ("-whale", [0, 1, 2]),
        *((blank, [0, 1, 2]) for blank in (None, "", " ", "\n\t", "the", "or", "-", '""', "-the")),
    ],
)
async def test_rows_are_found_by_the_words_that_count(
    endpoint: Endpoint, words: str | None, found: list[int]
) -> None:
    page = (await endpoint.data(SEARCH, {"words": words}))["dreams"]

    titles = sorted(node["title"] for node in page["nodes"])
    assert titles == sorted(TITLES[n] for n in found)
    assert page["totalCount"] == len(found)


@pytest.mark.parametrize(
    "words",
    [
        *("w " * 250, "-" * 500, '"' * 500, "the " * 125, "-a " * 166, "é" * 500, "or " * 166),
        *("\\" * 250, '-"' * 250, '-""' * 166, "- " * 250, "-!" * 250, "-(-&" * 125),
        "-the" * 125,
    ],
)
async def test_any_search_of_500_characters_is_answered(endpoint: Endpoint, words: str) -> None:
    assert codes(await endpoint.answer(SEARCH, {"words": words})) == []


@pytest.mark.parametrize(
    "words", ["w" * 501, "w " * 40_000, "-" * 100_000, '"' + "w " * 50_000 + '"', "the " * 100_000]
)
async def test_a_longer_search_is_refused_by_its_length(endpoint: Endpoint, words: str) -> None:
    answer = await endpoint.answer(SEARCH, {"words": words})

    [error] = answer["errors"]
    message = "This text must have 0 to 500 characters."
    assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")
    assert error["extensions"]["errors"] == [{"message": message, "field": ["search"]}]


@pytest.mark.parametrize("words", ["a\0b", "\0"])
async def test_a_search_that_cannot_be_compared_is_refused(endpoint: Endpoint, words: str) -> None:
    answer = await endpoint.answer(SEARCH, {"words": words})

    [error] = answer["errors"]
    assert error["message"] == "This text contains a character that cannot be stored."
