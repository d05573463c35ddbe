"""Admission: bodies share room by caller, and large requests take turns."""

import asyncio
from itertools import count, pairwise

import pytest

from db.core.turns import Turns
from gateway.errors import HttpError
from gateway.transport.admission import LARGE, Admission, Body
from graph.core.principal import Client

ONE, OTHER = Client("one", known=True), Client("other", known=True)
NETWORK = Client("203.0.113.0/24", known=False)
SIZE = 2 * LARGE
MOST = 4 * SIZE  # that all callers hold


def is_taken(body: Body, size: int) -> bool:
    try:
        body.add(b"x" * size)
    except HttpError as refused:
        return refused.status != 429
    return True


@pytest.fixture
def admission() -> Admission:
    return Admission(SIZE, Turns())


def test_a_caller_leaves_as_much_room_as_it_has(admission: Admission) -> None:
    with admission.body(ONE) as first, admission.body(ONE) as second, admission.body(ONE) as third:
        assert [is_taken(body, SIZE) for body in (first, second, third)] == [True, True, False]
        with admission.body(OTHER) as others:
            assert is_taken(others, SIZE)
    assert admission.rooms.known.free == MOST
    assert not admission.rooms.known.held


def test_parts_are_counted_as_they_arrive(admission: Admission) -> None:
    with admission.body(ONE) as body:
        assert is_taken(body, LARGE - 1)
        assert admission.rooms.known.free == MOST  # small bodies are not counted
        assert is_taken(body, 1)
        assert admission.rooms.known.free == MOST - LARGE
        assert is_taken(body, 10)
        assert admission.rooms.known.free == MOST - LARGE - 10


def test_anonymous_clients_take_no_room_from_others(admission: Admission) -> None:
    networks = [Client(f"203.0.{number}.0/24", known=False) for number in range(50)]
    bodies = [admission.body(network) for network in networks]
    taken = [is_taken(body.__enter__(), LARGE) for body in bodies]
    with admission.body(ONE) as body:
        assert is_taken(body, SIZE)
    assert not all(taken)


async def test_large_requests_begin_one_a_turn() -> None:
    turns, begun = Turns(), list[int]()
    now = count()

    async def begin(caller: str) -> None:
        await turns.next(caller)
        begun.append(next(now))

    async def others() -> None:
        while len(begun) < 5:
            await asyncio.sleep(0)
            next(now)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(begin("one"))
        tasks.create_task(others())
    assert all(later > earlier + 1 for earlier, later in pairwise(begun))


async def test_callers_alternate() -> None:
    turns, begun = Turns(), list[str]()

    async def begin(caller: str) -> None:
        await turns.next(caller)
        begun.append(caller)

    async with asyncio.TaskGroup() as tasks:
        for caller in ("one", "one", "one", "other"):
            tasks.create_task(begin(caller))
    assert begun == ["one", "other", "one", "one"]


async def test_a_client_that_disconnects_while_waiting_delays_no_other() -> None:
    turns = Turns()
    gone, stays = (asyncio.create_task(turns.next("one")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert gone.cancelled()
    assert not turns.waiting


async def test_small_bodies_do_not_wait(admission: Admission) -> None:
    with admission.body(NETWORK) as body:
        body.add(b"small")
        with pytest.raises(StopIteration):
            body.whole().send(None)
