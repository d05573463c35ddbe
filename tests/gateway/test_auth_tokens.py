"""Tokens of an issuer: whom they let in, and every way in which they must not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import issuer as ground
import pytest
from callers import Clock, ask, gateway, is_refused, production, status, viewer
from issuer import AUDIENCE, EC, ED, FOREIGN, KEYS, RSA, WEAK, Issuer, by_hand, deep, public_pem
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from structlog.testing import capture_logs

from counting import statements
from db import Database, identity
from factories import make_user
from gateway.auth import Auth
from gateway.settings import Settings, SettingsRefused, load

MEMBER = {"role": "MEMBER", "scopes": []}
Make = Callable[[Issuer], str]


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with ground.serving() as issuer:
        yield issuer


@pytest.fixture
def settings(issuer: Issuer) -> Settings:
    return production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(settings: Settings, database: Database, clock: Clock) -> Starlette:
    return gateway(settings, database, clock)


GOOD: dict[str, Make] = {
    "RS256": lambda issuer: issuer.token(),
    "ES256": lambda issuer: issuer.token(EC, "ES256", "ec"),
    "EdDSA": lambda issuer: issuer.token(ED, "EdDSA", "ed"),
    "access token": lambda issuer: issuer.token(typ="at+jwt"),
    "several audiences": lambda issuer: issuer.token(aud=["other", AUDIENCE]),
    "verified as text": lambda issuer: issuer.token(email_verified="true"),
    "expired within the leeway": lambda issuer: issuer.token(exp=int(time.time()) - 30),
    "valid in a moment": lambda issuer: issuer.token(nbf=int(time.time()) + 30),
}

# By the reason that the log gives; the caller is told none.
BAD: dict[str, dict[str, Make]] = {
    "algorithm not allowed": {
        "algorithm none": lambda issuer: by_hand({"alg": "none"}, issuer.claims(), None),
        "algorithm None": lambda issuer: by_hand(
            {"alg": "None", "kid": "rsa"}, issuer.claims(), None
        ),
        "no algorithm": lambda issuer: by_hand({"kid": "rsa"}, issuer.claims(), None),
        "algorithm a list": lambda issuer: by_hand({"alg": ["RS256"]}, issuer.claims(), None),
        "HS256 with the public key": lambda issuer: by_hand(
            {"alg": "HS256", "kid": "rsa", "typ": "JWT"}, issuer.claims(), public_pem()
        ),
        "HS256 with a published secret": lambda issuer: by_hand(
            {"alg": "HS256", "kid": "shared", "typ": "JWT"}, issuer.claims(), b"secret"
        ),
        "another algorithm of the key": lambda issuer: issuer.token(RSA, "PS256"),
    },
    "InvalidSignatureError": {
        "RS256 in name only": lambda issuer: by_hand(
            {"alg": "RS256", "kid": "rsa", "typ": "JWT"}, issuer.claims(), public_pem()
        ),
        "foreign key": lambda issuer: issuer.token(FOREIGN),
        "signature cut off": lambda issuer: issuer.token().rpartition(".")[0] + ".",
        "changed": lambda issuer: issuer.token().replace(".", ".e", 1),
    },
    "no such key": {
        "key of another type": lambda issuer: issuer.token(RSA, "RS256", "ec"),
        "key for encryption": lambda issuer: issuer.token(kid="encryption"),
        "unknown key": lambda issuer: issuer.token(kid="unknown"),
        "no key named": lambda issuer: issuer.token(kid=None),
    },
    "InvalidTokenError": {
        "key id a number": lambda issuer: by_hand(
            {"alg": "RS256", "kid": 3}, issuer.claims(), b"x"
        ),
    },
    "InvalidIssuerError": {
        "wrong issuer": lambda issuer: issuer.token(iss="https://evil.example"),
        "almost the issuer": lambda issuer: issuer.token(iss=issuer.url + "/"),
    },
    "InvalidAudienceError": {
        "wrong audience": lambda issuer: issuer.token(aud="other"),
    },
    "ExpiredSignatureError": {
        "expired": lambda issuer: issuer.token(exp=int(time.time()) - 61),
    },
    "ImmatureSignatureError": {
        "not yet valid": lambda issuer: issuer.token(nbf=int(time.time()) + 120),
    },
    "DecodeError": {
        "expiry no number": lambda issuer: issuer.token(exp="tomorrow"),
        "critical extension": lambda issuer: by_hand(
            {"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": False}, issuer.claims(), b"x"
        ),
        "deep JSON": lambda _: deep(),
        "two parts": lambda issuer: issuer.token().rpartition(".")[0],
        "garbage": lambda _: "nonsense",
        "dots": lambda _: "..",
        "not base64": lambda _: "!!!.???.***",
        "not JSON": lambda _: "bm9uc2Vuc2U.bm9uc2Vuc2U.bm9uc2Vuc2U",
        "JSON but no object": lambda _: "W10.W10.W10",
    },
    "MissingRequiredClaimError": {
        "no issuer": lambda issuer: issuer.token(iss=None),
        "no audience": lambda issuer: issuer.token(aud=None),
        "no expiry": lambda issuer: issuer.token(exp=None),
        "no subject": lambda issuer: issuer.token(sub=None),
    },
    "InvalidSubjectError": {
        "subject no text": lambda issuer: issuer.token(sub=3),
    },
    "no verified address": {
        "no address": lambda issuer: issuer.token(email=None),
        "address not verified": lambda issuer: issuer.token(email_verified=False),
        "verification odd": lambda issuer: issuer.token(email_verified=[True]),
        "address no text": lambda issuer: issuer.token(email=["ada@example.org"]),
    },
    "not an access token": {
        "id of a session": lambda issuer: issuer.token(typ="logout+jwt"),
    },
    "not one bearer credential of an acceptable size": {
        "huge": lambda issuer: issuer.token(more="x" * 8192),
    },
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_token_makes_its_user_once(
    app: Starlette, issuer: Issuer, database: Database, name: str
) -> None:
    assert await viewer(app, GOOD[name](issuer)) == MEMBER
    assert await viewer(app, GOOD[name](issuer)) == MEMBER
    async with database.read() as session:
        assert (await identity.by_email(session, "ada@example.org")).role == "MEMBER"


@pytest.mark.parametrize(
    ("reason", "name"), [(reason, name) for reason, names in BAD.items() for name in names]
)
async def test_a_bad_token_is_refused_before_the_database(
    app: Starlette, issuer: Issuer, database: Database, reason: str, name: str
) -> None:
    token = BAD[reason][name](issuer)
    with statements(database, exactly=0), capture_logs() as logs:
        response = await ask(app, token)
    assert is_refused(response)
    assert token not in repr(logs)
    assert [line["reason"] for line in logs if "reason" in line] == [reason]
    assert issuer.fetches <= 1


async def test_a_weak_key_of_the_issuer_proves_nothing(app: Starlette, issuer: Issuer) -> None:
    with pytest.warns(match="below the minimum"):
        token = issuer.token(WEAK, "RS256", "weak")
    assert is_refused(await ask(app, token))


async def test_a_known_user_keeps_the_role_in_the_database(
    app: Starlette, issuer: Issuer, database: Database
) -> None:
    await make_user(database, email="ada@example.org", role="OPERATOR")
    token = issuer.token(role="ADMIN", roles=["ADMIN"])
    assert (await viewer(app, token))["role"] == "OPERATOR"


async def test_unknown_users_may_be_unwelcome(
    settings: Settings, issuer: Issuer, database: Database
) -> None:
    app = gateway(settings.model_copy(update={"oidc_create_users": False}), database)
    assert is_refused(await ask(app, issuer.token()))
    await make_user(database, email="grace@example.org")
    assert await viewer(app, issuer.token(email="grace@example.org")) == MEMBER


@pytest.mark.parametrize(
    ("claimed", "role"),
    [
        ("OPERATOR", "OPERATOR"),
        (["MEMBER", "ADMIN", "other"], "ADMIN"),
        ("admin", "MEMBER"),
        (["other"], "MEMBER"),
        ({"ADMIN": True}, "MEMBER"),
        (None, "MEMBER"),
    ],
)
async def test_a_claim_may_decide_the_role(
    settings: Settings, issuer: Issuer, database: Database, claimed: Any, role: str
) -> None:
    await make_user(database, email="ada@example.org", role="OPERATOR")
    app = gateway(settings.model_copy(update={"oidc_role_claim": "groups"}), database)
    assert (await viewer(app, issuer.token(groups=claimed)))["role"] == role


async def test_without_an_issuer_no_token_counts(issuer: Issuer, database: Database) -> None:
    assert is_refused(await ask(gateway(production(), database), issuer.token()))


async def test_a_flood_of_unknown_keys_is_one_fetch_a_minute(
    app: Starlette, issuer: Issuer, clock: Clock
) -> None:
    for minute in (1, 2):
        tokens = [issuer.token(kid=f"{minute}-{number}") for number in range(50)]
        answers = await asyncio.gather(*(ask(app, token) for token in tokens))
        assert all(map(is_refused, answers))
        assert issuer.fetches == minute
        clock.now += 60


async def test_a_new_key_counts_within_a_minute(
    app: Starlette, issuer: Issuer, clock: Clock
) -> None:
    issuer.answer = JSONResponse({"keys": KEYS[1:]})
    assert is_refused(await ask(app, issuer.token()))
    issuer.answer = JSONResponse({"keys": KEYS})
    assert is_refused(await ask(app, issuer.token()))
    clock.now += 60
    assert await viewer(app, issuer.token()) == MEMBER
    assert issuer.fetches == 2


async def test_old_keys_count_while_new_ones_are_fetched(
    settings: Settings, database: Database, issuer: Issuer, clock: Clock
) -> None:
    auth = Auth(settings, database, clock)
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
    app: Starlette, issuer: Issuer, clock: Clock, answer: Response | None
) -> None:
    assert await status(app, issuer.token()) == 200
    if answer is None:
        issuer.redirect()
    else:
        issuer.answer = answer
    clock.now += 23 * 3600
    assert await status(app, issuer.token()) == 200
    assert await status(app, issuer.token(kid="unknown")) == 401
    clock.now += 2 * 3600
    response = await ask(app, issuer.token())
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"


async def test_an_issuer_that_is_away_is_not_the_fault_of_the_token(database: Database) -> None:
    away = "http://127.0.0.1:1"
    app = gateway(production(oidc_issuer=away, oidc_audience=AUDIENCE), database)
    assert await status(app, Issuer(away).token()) == 503


async def test_the_discovery_document_of_another_issuer_is_refused(
    issuer: Issuer, database: Database
) -> None:
    settings = production(oidc_issuer=f"{issuer.url}/", oidc_audience=AUDIENCE)
    assert await status(gateway(settings, database), issuer.token(iss=f"{issuer.url}/")) == 503
    assert issuer.fetches == 0


@pytest.mark.parametrize("url", ["http://login.example/keys", "ftp://127.0.0.1/keys", None, 3])
async def test_keys_come_from_secure_addresses_only(
    app: Starlette, issuer: Issuer, url: object
) -> None:
    issuer.keys_url = url
    with capture_logs() as logs:
        assert await status(app, issuer.token()) == 503
    assert "the address must begin with https://" in [line.get("reason") for line in logs]


async def test_an_address_of_the_keys_needs_no_discovery(
    issuer: Issuer, database: Database
) -> None:
    name = "https://login.example"
    settings = production(
        oidc_issuer=name, oidc_audience=AUDIENCE, oidc_jwks_url=f"{issuer.url}/keys"
    )
    assert await viewer(gateway(settings, database), issuer.token(iss=name)) == MEMBER


async def test_the_keys_are_fetched_at_the_start(
    settings: Settings, database: Database, issuer: Issuer
) -> None:
    auth = Auth(settings, database)
    assert auth.tokens is not None
    async with auth.running():
        await auth.tokens.issuer.key("rsa")
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"ISSUER": "http://login.example"}, "DREAMNET_OIDC_ISSUER is not acceptable: must start"),
        ({"ISSUER": "https://login.example"}, "needs DREAMNET_OIDC_AUDIENCE"),
        ({"ALGORITHMS": "RS256,HS256"}, "HS256 is none of"),
        ({"ALGORITHMS": "none"}, "none is none of"),
        ({"ALGORITHMS": ""}, None),
        ({"JWKS_URL": "ftp://login.example"}, "DREAMNET_OIDC_JWKS_URL is not acceptable"),
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
