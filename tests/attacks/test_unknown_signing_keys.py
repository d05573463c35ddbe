"""Tokens that name unknown keys keep the gateway from the keys that the issuer really has."""

from collections.abc import AsyncIterator

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from db import Database
from support.attack_target import Target, attacked
from support.oidc_issuer import AUDIENCE, FOREIGN, KEYS, Issuer, published

WHO = "{ viewer { role } }"
FLOOD = 20  # tokens a second


@pytest.fixture
async def trusting(database: Database, issuer: Issuer) -> AsyncIterator[Target]:
    """A gateway that accepts the tokens of the issuer."""
    async with attacked(database, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as target:
        yield target


async def flood(target: Target, issuer: Issuer, second: int) -> None:
    for number in range(FLOOD):
        refused = await target.post(WHO, issuer.token(kid=f"{second}-{number}"))
        assert refused.status_code in (401, 429)


async def test_a_new_key_is_accepted_within_seconds_of_a_flood(
    trusting: Target, issuer: Issuer
) -> None:
    known = issuer.token()
    assert (await trusting.post(WHO, known)).status_code == 200
    new = issuer.token(FOREIGN, kid="next")
    await flood(trusting, issuer, 0)
    issuer.answer = JSONResponse({"keys": [*KEYS, published(FOREIGN, "next")]})

    statuses = []
    for second in range(1, 11):
        await flood(trusting, issuer, second)
        for _ in range(FLOOD):  # as a service does whose tokens are signed with the new key
            await trusting.post(WHO, new)
        assert (await trusting.post(WHO, known)).status_code == 200
        statuses.append((await trusting.post(WHO, new)).status_code)
        trusting.clock.now += 1

    assert statuses[4:] == [200] * 6
    assert issuer.fetches <= 6


async def test_tokens_are_accepted_within_seconds_of_the_issuers_return(
    trusting: Target, issuer: Issuer
) -> None:
    answer, issuer.answer = issuer.answer, PlainTextResponse("down", 503)
    for _ in range(60):
        assert (await trusting.post(WHO, issuer.token())).status_code == 503
        trusting.clock.now += 1
    assert issuer.fetches <= 12

    issuer.answer = answer
    trusting.clock.now += 5
    assert (await trusting.post(WHO, issuer.token())).status_code == 200
