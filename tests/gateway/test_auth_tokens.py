"""Tokens of an issuer: accepted ones, and every reason to refuse one."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from db import Database, identity
from gateway.settings import Settings
from support.factories import make_user
from support.gateways import MEMBER, Clock, ask, gateway, is_refused, production, viewer
from support.oidc_issuer import AUDIENCE, EC, ED, FOREIGN, RSA, Issuer, by_hand, deep, public_pem
from support.query_count import statements

Make = Callable[[Issuer], str]

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
    "no acceptable subject": {
        "subject empty": lambda issuer: issuer.token(sub=""),
        "subject huge": lambda issuer: issuer.token(sub="x" * 256),
        "subject with NUL": lambda issuer: issuer.token(sub="a\0b"),
        "subject with half a surrogate pair": lambda issuer: issuer.token(sub="\ud800"),
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
    issuer_app: Starlette, issuer: Issuer, database: Database, name: str
) -> None:
    assert await viewer(issuer_app, GOOD[name](issuer)) == MEMBER
    assert await viewer(issuer_app, GOOD[name](issuer)) == MEMBER
    async with database.read() as session:
        assert (await identity.by_email(session, "ada@example.org")).role == "MEMBER"


@pytest.mark.parametrize(
    ("reason", "name"), [(reason, name) for reason, names in BAD.items() for name in names]
)
async def test_a_bad_token_is_refused_before_the_database(
    issuer_app: Starlette, issuer: Issuer, database: Database, reason: str, name: str
) -> None:
    token = BAD[reason][name](issuer)
    with statements(database, exactly=0), capture_logs() as logs:
        response = await ask(issuer_app, token)
    assert is_refused(response)
    assert token not in repr(logs)
    assert [line["reason"] for line in logs if "reason" in line] == [reason]
    assert issuer.fetches <= 1


@pytest.mark.parametrize(
    "claims",
    [
        {"email": None},
        {"email": ["ada@example.org"]},
        {"email_verified": None},
        {"email_verified": False},
        {"email_verified": [True]},
    ],
)
async def test_an_address_that_is_not_verified_matters_only_at_the_first_sign_in(
    issuer_app: Starlette,
    issuer: Issuer,
    database: Database,
    clock: Clock,
    claims: dict[str, Any],
) -> None:
    await make_user(database, email="ada@example.org", role="OPERATOR")
    with statements(database, exactly=1):
        assert is_refused(await ask(issuer_app, issuer.token(**claims)))
    clock.now += 5
    assert (await viewer(issuer_app, issuer.token()))["role"] == "OPERATOR"
    assert (await viewer(issuer_app, issuer.token(**claims)))["role"] == "OPERATOR"


async def test_a_known_user_keeps_the_role_in_the_database(
    issuer_app: Starlette, issuer: Issuer, database: Database
) -> None:
    await make_user(database, email="ada@example.org", role="OPERATOR")
    token = issuer.token(role="ADMIN", roles=["ADMIN"])
    assert (await viewer(issuer_app, token))["role"] == "OPERATOR"


async def test_unknown_users_may_be_unwelcome(
    issuer_settings: Settings, issuer: Issuer, database: Database
) -> None:
    app = gateway(issuer_settings.model_copy(update={"oidc_create_users": False}), database)
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
    issuer_settings: Settings, issuer: Issuer, database: Database, claimed: Any, role: str
) -> None:
    await make_user(database, email="ada@example.org", role="OPERATOR")
    app = gateway(issuer_settings.model_copy(update={"oidc_role_claim": "groups"}), database)
    assert (await viewer(app, issuer.token(groups=claimed)))["role"] == role


async def test_without_an_issuer_no_token_counts(issuer: Issuer, database: Database) -> None:
    assert is_refused(await ask(gateway(production(), database), issuer.token()))
