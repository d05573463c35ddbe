"""Ids: in the order of time, to the microsecond, which they contain."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from db.core.ids import (
    EPOCH,
    PLACES,
    ceiling,
    floor,
    key_of,
    place_of,
    placed,
    time_of,
    uuid7,
)

MICROSECOND = timedelta(microseconds=1)
LAST = datetime(9998, 12, 31, 23, 59, 59, 999998)  # noqa: DTZ001  hypothesis wants naive bounds

times = st.datetimes(datetime(1970, 1, 1), LAST, timezones=st.just(UTC))  # noqa: DTZ001  the same
keys = st.none() | st.text(max_size=5)


@given(times, keys)
def test_an_id_contains_its_time(at: datetime, key: str | None) -> None:
    assert time_of(uuid7(at, key)) == at
    assert time_of(floor(at)) == at


@given(times, times, keys, keys)
def test_ids_compare_as_their_times_do(
    one: datetime, other: datetime, key: str | None, other_key: str | None
) -> None:
    earlier, later = sorted((one, other))

    assert (uuid7(earlier, key) < uuid7(later, other_key)) or earlier == later


@given(times, keys, keys)
def test_a_microsecond_later_is_a_larger_id(
    at: datetime, key: str | None, other_key: str | None
) -> None:
    assert uuid7(at, key) < floor(at + MICROSECOND) <= uuid7(at + MICROSECOND, other_key)


@given(times, keys)
def test_the_floor_is_below_every_id_of_its_time_and_above_every_earlier_one(
    at: datetime, key: str | None
) -> None:
    assert floor(at) < uuid7(at, key) < floor(at + MICROSECOND)


@given(times, st.text(), st.text())
def test_a_key_makes_the_same_id_each_time(at: datetime, key: str, other_key: str) -> None:
    assert uuid7(at, key) == uuid7(at, key)
    assert (uuid7(at, key) == uuid7(at, other_key)) is (key == other_key)


@given(times, keys)
def test_an_id_is_a_uuid_of_version_7(at: datetime, key: str | None) -> None:
    id = uuid7(at, key)

    assert (id.version, id.variant) == (7, "specified in RFC 4122")


def test_ids_without_a_key_are_all_different() -> None:
    assert len({uuid7(EPOCH) for _ in range(1000)}) == 1000


def test_an_id_is_that_of_the_moment_whatever_the_offset() -> None:
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

    assert uuid7(at, "key") == uuid7(at.astimezone(timezone(timedelta(hours=5.5))), "key")


def test_an_id_has_the_format_of_the_standard() -> None:
    # The example of RFC 9562, appendix A.6.
    at = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)

    assert uuid7(at, "key").hex.startswith("017f22e279b07000")


@pytest.mark.parametrize("make", [uuid7, floor])
def test_a_time_before_1970_has_no_id(make: type) -> None:
    with pytest.raises(ValueError, match="128-bit"):
        make(EPOCH - MICROSECOND)


def test_places_order_ids_of_one_time_and_leave_their_key() -> None:
    at = datetime(2024, 1, 5, 10, tzinfo=UTC)
    one, other = uuid7(at, "one"), uuid7(at, "other")
    places = [placed(one, 0), placed(other, 1), placed(one, 2), placed(other, PLACES - 1)]
    assert sorted(places) == places
    assert [place_of(id) for id in places] == [0, 1, 2, PLACES - 1]
    assert placed(one, PLACES) == placed(one, PLACES - 1)
    assert {key_of(id) for id in places} == {key_of(one), key_of(other)}
    assert len({key_of(one), key_of(other)}) == 2
    assert all(floor(at) <= id <= ceiling(at) and time_of(id) == at for id in places)
    assert ceiling(at) < floor(at + timedelta(microseconds=1))
