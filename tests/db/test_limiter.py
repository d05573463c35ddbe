"""Limiter: no caller holds all connections, and waiting borrowers alternate."""

import asyncio

import pytest

from db.core.errors import Throttled, Unavailable
from db.core.session import connection_shares as subject
from db.core.session.connection_shares import Borrower, Limiter

GATEWAY = Borrower("auth")


def caller(name: str, operation: str = "{ dreams }") -> Borrower:
    return Borrower(name, operation)


async def take(limiter: Limiter, *borrowers: Borrower) -> int:
    """How many of them get a place at once."""
    taken = 0
    for borrower in borrowers:
        try:
            async with asyncio.timeout(0):
                await limiter.acquire(borrower)
        except TimeoutError:
            continue
        taken += 1
    return taken


def different(name: str, count: int) -> list[Borrower]:
    return [caller(name, f"{{ query{number} }}") for number in range(count)]


@pytest.mark.parametrize(
    ("size", "shares"), [(1, [1, 0]), (2, [1, 0]), (10, [4, 2, 1, 1]), (20, [8, 4, 2, 1, 1])]
)
async def test_each_caller_leaves_room_for_another(size: int, shares: list[int]) -> None:
    limiter = Limiter(size)
    taken = [await take(limiter, *different(f"caller{n}", size)) for n in range(len(shares))]
    assert taken == shares


@pytest.mark.parametrize(("size", "held"), [(1, 1), (2, 1), (10, 4), (20, 8)])
async def test_anonymous_callers_leave_room_for_known_ones(size: int, held: int) -> None:
    limiter = Limiter(size)
    networks = [Borrower(f"network{n}", f"{{ query{n} }}", known=False) for n in range(50)]
    assert await take(limiter, *networks) == held
    assert await take(limiter, caller("ada")) == (size > 2)
    for network in networks[:held]:
        limiter.release(network)
    assert limiter.held_by_anonymous == 0


async def test_one_operation_leaves_room_for_others_of_its_caller() -> None:
    limiter = Limiter(20)
    assert await take(limiter, *[caller("ada")] * 20) == 6
    assert await take(limiter, *[caller("ada", "{ viewer }")] * 20) == 2


async def test_one_operation_of_many_callers_leaves_room_for_others() -> None:
    limiter = Limiter(20)
    assert await take(limiter, *(caller(f"caller{number}") for number in range(20))) == 6
    assert await take(limiter, caller("eve", "{ viewer }")) == 1


async def test_the_gateway_itself_has_a_reserve() -> None:
    limiter = Limiter(20)
    while await take(limiter, *(caller(f"{n}", f"{n}") for n in range(limiter.held, 40))):
        pass
    assert limiter.held == 16
    assert await take(limiter, *[GATEWAY] * 20) == 3
    assert await take(limiter, *[Borrower("maintenance")] * 20) == 1


async def test_a_part_of_the_gateway_may_use_a_small_pool_whole() -> None:
    """Retention holds a lock over one connection while it works over another."""
    assert await take(Limiter(1), GATEWAY) == 1
    assert await take(Limiter(2), *[GATEWAY] * 3) == 2


async def test_a_place_goes_to_the_borrower_that_holds_the_fewest() -> None:
    limiter, order = Limiter(10), []
    ada, bob = different("ada", 4), different("bob", 2)
    others = [caller("x", "x"), caller("y", "y")]
    assert await take(limiter, *ada, *bob, *others) == 8

    async def wait(name: str) -> None:
        await limiter.acquire(caller(name, f"{{ {name} }}"))
        order.append(name)

    waiting = [asyncio.create_task(wait(name)) for name in ("ada", "bob", "eve")]
    await asyncio.sleep(0)
    for borrower in (*others, *bob, *ada):
        limiter.release(borrower)
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == ["eve", "bob", "ada"]


async def test_callers_with_equal_shares_alternate() -> None:
    limiter, order = Limiter(1), []
    await limiter.acquire(GATEWAY)

    async def work(name: str) -> None:
        await limiter.acquire(caller(name))
        order.append(name)
        limiter.release(caller(name))

    waiting = [asyncio.create_task(work(name)) for name in ("ada", "ada", "ada", "bob", "bob")]
    await asyncio.sleep(0)
    limiter.release(GATEWAY)
    await asyncio.gather(*waiting)
    assert order == ["ada", "bob", "ada", "bob", "ada"]


async def test_a_wait_that_is_too_long_names_the_exhausted_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subject, "WAIT_SECONDS", 0.001)
    limiter = Limiter(10)
    assert await take(limiter, *different("ada", 10)) == 4
    with pytest.raises(Throttled):
        await limiter.acquire(caller("ada", "{ late }"))
    while await take(limiter, *(caller(f"{n}", f"{n}") for n in range(limiter.held, 40))):
        pass
    with pytest.raises(Unavailable) as refused:
        await limiter.acquire(caller("late", "{ late }"))
    assert refused.type is Unavailable


async def test_a_borrower_that_stops_waiting_leaves_no_trace() -> None:
    limiter = Limiter(1)
    await limiter.acquire(GATEWAY)
    waiting = [asyncio.create_task(limiter.acquire(caller("ada"))) for _ in range(2)]
    await asyncio.sleep(0)
    limiter.release(GATEWAY)  # grants it to the first, which is cancelled before it runs
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)

    assert [task.cancelled() for task in waiting] == [True, True]
    assert (limiter.held, limiter.held_by_callers) == (0, 0)
    assert not limiter.names
    assert not limiter.operations
    assert await take(limiter, caller("eve")) == 1


async def test_a_server_without_further_connections_makes_it_smaller_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limiter = Limiter(10)
    assert await take(limiter, *different("ada", 3), GATEWAY) == 4
    assert limiter.narrow()
    assert limiter.limit == 3
    limiter.release(GATEWAY)
    assert await take(limiter, GATEWAY) == 0
    monkeypatch.setattr(subject, "NARROW_SECONDS", 0)
    assert limiter.narrow()
    assert limiter.limit == 10


async def test_there_is_nothing_to_wait_for_without_another_connection() -> None:
    limiter = Limiter(10)
    await limiter.acquire(GATEWAY)
    assert not limiter.narrow()
    assert limiter.limit == 10
