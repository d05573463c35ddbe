"""The issuer of tokens: when its keys are fetched, and how long they are valid."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from structlog.testing import capture_logs

from db import Database
from gateway.auth.authenticator import Auth
from gateway.auth.issuer import INTERVAL_SECONDS
from gateway.settings import Settings, SettingsRefused, load
from support.gateways import MEMBER, Clock, ask, gateway, is_refused, production, status, viewer
from support.oidc_issuer import AUDIENCE, KEYS, WEAK, Issuer


async def test_the_keys_are_fetched_at_the_start(
    issuer_settings: Settings, database: Database, issuer: Issuer
) -> None:
    auth = Auth(issuer_settings, database)
    assert auth.tokens is not None
    async with auth.running():
        await auth.tokens.issuer.key("rsa")
    assert issuer.fetches == 1


async def test_unknown_keys_at_the_same_time_are_one_fetch(
    issuer_app: Starlette, issuer: Issuer, clock: Clock
) -> None:
    for fetches in (1, 2):
        tokens = [issuer.token(kid=f"{fetches}-{number}") for number in range(20)]
        answers = await asyncio.gather(*(ask(issuer_app, token) for token in tokens))
        assert all(map(is_refused, answers))
        assert issuer.fetches == fetches
        clock.now += INTERVAL_SECONDS


async def test_a_cancelled_request_does_not_cancel_the_fetch(
    issuer_settings: Settings, database: Database, issuer: Issuer, clock: Clock
) -> None:
    keys = Auth(issuer_settings, database, clock).tokens.issuer
    asking = asyncio.create_task(keys.key("rsa"))
    await asyncio.sleep(0)
    asking.cancel()
    assert await keys.key("rsa") is not None
    assert issuer.fetches == 1


async def test_old_keys_count_while_new_ones_are_fetched(
    issuer_settings: Settings, database: Database, issuer: Issuer, clock: Clock
) -> None:
    auth = Auth(issuer_settings, database, clock)
    assert auth.tokens is not None
    await auth.tokens.principal(issuer.token())
    clock.now += 601
    issuer.answer = JSONResponse({"keys": KEYS[1:]})
    await auth.tokens.principal(issuer.token())
    refreshing = auth.tokens.issuer.refreshing
    assert refreshing is not None
    await refreshing
    assert issuer.fetches == 2
    assert "rsa" not in auth.tokens.issuer.keys


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("gone", 500),
        PlainTextResponse("nonsense"),
        JSONResponse({}),
        JSONResponse({"keys": []}),
        JSONResponse({"keys": [3]}),
        JSONResponse([1]),
        JSONResponse({"keys": KEYS, "more": "x" * 65536}),
        None,
    ],
)
async def test_old_keys_count_for_a_day_when_there_are_no_new_ones(
    issuer_app: Starlette, issuer: Issuer, clock: Clock, answer: Response | None
) -> None:
    assert await status(issuer_app, issuer.token()) == 200
    if answer is None:
        issuer.redirect()
    else:
        issuer.answer = answer
    clock.now += 23 * 3600
    assert await status(issuer_app, issuer.token()) == 200
    assert await status(issuer_app, issuer.token(kid="unknown")) == 401
    clock.now += 2 * 3600
    response = await ask(issuer_app, issuer.token())
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"


async def test_an_issuer_that_is_away_is_not_the_fault_of_the_token(database: Database) -> None:
    away = "http://127.0.0.1:1"
    app = gateway(production(oidc_issuer=away, oidc_audience=AUDIENCE), database)
    assert await status(app, Issuer(away).token()) == 503


async def test_a_weak_key_of_the_issuer_proves_nothing(
    issuer_app: Starlette, issuer: Issuer
) -> None:
    with pytest.warns(match="below the minimum"):
        token = issuer.token(WEAK, "RS256", "weak")
    assert is_refused(await ask(issuer_app, token))


async def test_the_discovery_document_of_another_issuer_is_refused(
    issuer: Issuer, database: Database
) -> None:
    settings = production(oidc_issuer=f"{issuer.url}/", oidc_audience=AUDIENCE)
    assert await status(gateway(settings, database), issuer.token(iss=f"{issuer.url}/")) == 503
    assert issuer.fetches == 0


@pytest.mark.parametrize("url", ["http://login.example/keys", "ftp://127.0.0.1/keys", None, 3])
async def test_keys_come_from_secure_addresses_only(
    issuer_app: Starlette, issuer: Issuer, url: object
) -> None:
    issuer.keys_url = url
    with capture_logs() as logs:
        assert await status(issuer_app, issuer.token()) == 503
    assert "the address must begin with https://" in [line.get("reason") for line in logs]


async def test_an_address_of_the_keys_needs_no_discovery(
    issuer: Issuer, database: Database
) -> None:
    name = "https://login.example"
    settings = production(
        oidc_issuer=name, oidc_audience=AUDIENCE, oidc_jwks_url=f"{issuer.url}/keys"
    )
    assert await viewer(gateway(settings, database), issuer.token(iss=name)) == MEMBER


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"ISSUER": "http://login.example"}, "DREAMNET_OIDC_ISSUER is invalid: must start"),
        ({"ISSUER": "https://login.example"}, "needs DREAMNET_OIDC_AUDIENCE"),
        ({"ALGORITHMS": "RS256,HS256"}, "HS256 is none of"),
        ({"ALGORITHMS": "none"}, "none is none of"),
        ({"ALGORITHMS": ""}, None),
        ({"JWKS_URL": "ftp://login.example"}, "DREAMNET_OIDC_JWKS_URL is invalid"),
    ],
)
def test_settings(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"DREAMNET_OIDC_{name}", value)
    if sentence is None:
        assert load().algorithms == ("RS256", "ES256", "EdDSA")
        return
    with pytest.raises(SettingsRefused, match=sentence):
        load()
