"""A search finds what its viewer may list, of several kinds, page by page."""

from typing import Any

import pytest

from db import Database
from db.core.query import looking
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from support.factories import make_agent, make_ai_model, make_dream, make_user
from support.mutations import Run
from support.principals import MEMBERS, OPERATORS

SEARCH = """query ($text: String!, $kinds: [SearchKind!], $first: Int! = 20, $after: String) {
  search(text: $text, kinds: $kinds, first: $first, after: $after) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage endCursor }
    nodes {
      __typename
      ... on Dream { title }
      ... on AiModel { name }
      %s
    }
  }
}"""


@pytest.fixture
async def robots(database: Database, ada: Principal) -> None:
    """Something of each kind about robots, oldest first, and something else."""
    await make_dream(database, title="Teach a robot")
    await make_ai_model(database, name="robot-1")
    await make_agent(database, agent_key="Robot.agent")
    await make_user(database, email="robot@example.org")
    await make_dream(database, title="Robots dance", is_public=False, user_id=ada.user_id)
    await make_dream(database, title="Fold a shirt")
    await make_ai_model(database, name="other_model")


ALL = ["Robots dance", "robot@example.org", "Robot.agent", "robot-1", "Teach a robot"]


OF_OPERATORS = "... on Agent { key } ... on User { email }"


async def found(run: Run, who: Principal, **variables: Any) -> list[Any]:
    more = OF_OPERATORS if who in (DEVELOPER, OPERATORS) else ""
    answer = await run(SEARCH % more, {"text": "robot", **variables}, who)
    assert answer.errors == []
    connection = answer.data["search"]
    titles = [list(node.values())[1] for node in connection["nodes"]]
    assert connection["totalCount"] >= len(titles)
    return titles


@pytest.mark.usefixtures("robots")
async def test_each_viewer_finds_what_it_may_list(run: Run, ada: Principal) -> None:
    assert await found(run, DEVELOPER) == ALL
    assert await found(run, ANONYMOUS) == ["robot-1", "Teach a robot"]
    assert await found(run, MEMBERS) == ["robot-1", "Teach a robot"]
    assert await found(run, ada) == ["Robots dance", "robot-1", "Teach a robot"]
    assert await found(run, OPERATORS) == ALL


@pytest.mark.usefixtures("robots")
async def test_kinds_are_chosen_and_hidden_ones_are_left_out(run: Run) -> None:
    for kinds, expected in (
        (["USER", "AGENT"], ["robot@example.org", "Robot.agent"]),
        (["DREAM"], ["Robots dance", "Teach a robot"]),
        ([], []),
    ):
        assert await found(run, DEVELOPER, kinds=kinds) == expected
    assert await found(run, ANONYMOUS, kinds=["USER", "AGENT"]) == []


@pytest.mark.usefixtures("robots")
async def test_pages_follow_one_another_over_all_kinds(run: Run) -> None:
    for size in (1, 2, 3, 5):
        titles: list[Any] = []
        after, more = None, True
        while more:
            variables = {"text": "robot", "first": size, "after": after}
            page = (await run(SEARCH % OF_OPERATORS, variables, DEVELOPER)).data["search"]
            assert page["totalCount"] == len(ALL)
            assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
            titles += [list(node.values())[1] for node in page["nodes"]]
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        assert titles == ALL, size


@pytest.mark.usefixtures("robots")
async def test_signs_of_patterns_are_letters(run: Run) -> None:
    assert await found(run, DEVELOPER, text="r_model") == ["other_model"]
    for text in ("%", "_", "-", "the"):
        assert await found(run, DEVELOPER, text=text, kinds=["DREAM", "AGENT"]) == [], text


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"text": ""}, "must have 1 to 500 characters"),
        ({"text": "  "}, "must not be blank"),
        ({"text": "a" * 501}, "must have 1 to 500 characters"),
        ({"text": "a", "first": 101}, "between 0 and 100"),
        ({"text": "a", "first": -1}, "between 0 and 100"),
        ({"text": "a", "after": "x"}, "cursor"),
    ],
)
async def test_bounds(run: Run, variables: dict[str, Any], message: str) -> None:
    [error] = (await run(SEARCH % "", variables)).errors
    assert message in error["message"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_search_looks_at_a_bounded_number_of_users(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may be short: the next one continues where the look ended, with all kinds."""
    monkeypatch.setattr(looking, "LOOKED", 3)
    monkeypatch.setattr(looking, "COUNTED", 3)
    for n in range(10):
        await make_user(database, email=f"{'robot' if n % 4 == 0 else 'other'}{n}@example.org")
        await make_agent(database, agent_key=f"robot-{n}")
    document = SEARCH.replace("totalCount", "totalCount totalCountIsExact")
    document %= "... on Agent { key } ... on User { email }"

    titles, after, more, pages = [], None, True, 0
    while more:
        answer = await run(document, {"text": "robot", "first": 20, "after": after}, DEVELOPER)
        page = answer.data["search"]
        titles += [list(node.values())[1] for node in page["nodes"]]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        pages += 1

    assert titles == [
        name
        for n in range(9, -1, -1)
        for name in (f"robot-{n}", *([f"robot{n}@example.org"] if n % 4 == 0 else []))
    ]
    assert pages == 4
    assert (page["totalCount"], page["totalCountIsExact"]) == (11, False)
