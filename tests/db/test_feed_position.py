"""Positions in feeds as texts: parsed as printed, and nothing else."""

import pytest
from hypothesis import given
from hypothesis.strategies import integers, text as texts

from db.core.errors import Invalid
from db.core.feed import Position
from db.feeds import FEEDS


@given(integers(0, 2**32 - 1), integers(0, 2**63 - 1), integers(0, 2**32 - 1))
def test_a_position_is_printed_and_parsed(epoch: int, seq: int, check: int) -> None:
    for feed in FEEDS:
        position = Position(feed.name, epoch, seq, check)
        assert Position.parse(str(position), feed.name) == position
        assert len(str(position)) == 24


@given(texts())
def test_any_other_text_is_no_position(given: str) -> None:
    with pytest.raises(Invalid):
        Position.parse(given, "agents")


@pytest.mark.parametrize("name", ["events", "metrics", "changes"])
def test_a_position_of_another_feed_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="belongs to another subscription") as refused:
        Position.parse(str(Position("agents", 1, 2, 3)), name)
    assert refused.value.field == "after"


@pytest.mark.parametrize("changed", ["version", "seq"])
def test_a_position_that_cannot_be_is_refused(changed: str) -> None:
    printed = str(Position("agents", 1, 2**63 - 1, 3))
    wrong = "Ag" + printed[2:] if changed == "version" else str(Position("agents", 1, 2**63, 3))
    with pytest.raises(Invalid):
        Position.parse(wrong, "agents")
