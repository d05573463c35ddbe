"""Attacks with tokens whose claims hold what nothing can store: they are refused, or ignored."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from structlog.testing import capture_logs

from support.attack_target import Target
from support.oidc_issuer import RSA, Issuer

VALUES: dict[str, Any] = {
    "NUL": "ada\0@example.org",
    "only NUL": "\0",
    "half a surrogate pair": "ada\ud800@example.org",
    "too long": "a" * 2_000 + "@example.org",
    "empty": "",
    "a number": 7,
    "a large number": 10**400,
    "a larger number": 10**4000,
    "infinity": float("inf"),
    "no number": float("nan"),
    "a list": ["ada@example.org", "\0"],
    "an object": {"ada": "\0"},
    "true": True,
    "null": None,
}
CLAIMS = ("sub", "email", "email_verified", "roles", "iss", "aud", "exp", "nbf", "iat", "name")
HEADERS = ("kid", "typ", "alg", "crit", "jku", "b64")
NEEDED = ("sub", "iss", "aud", "email")
UNSTORABLE = ("NUL", "only NUL", "half a surrogate pair", "too long")
WHO = "{ viewer { role } }"


def part(content: Any) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def signed(claims: dict[str, Any], **header: Any) -> str:
    """A token of the issuer, with what no library would sign."""
    body = part({"alg": "RS256", "typ": "JWT", "kid": "rsa", **header}) + b"." + part(claims)
    return (body + b"." + part(RSA.sign(body, PKCS1v15(), SHA256()))).decode()


async def statuses(target: Target, tokens: dict[str, str]) -> dict[str, int]:
    """The status of the answer to each token; nothing is logged as an error."""
    with capture_logs() as logs:
        answers = {kind: await target.post(WHO, token) for kind, token in tokens.items()}
    assert [line for line in logs if line["log_level"] in ("error", "critical")] == []
    return {kind: answer.status_code for kind, answer in answers.items()}


async def test_a_token_made_by_hand_is_accepted(claimed: Target, issuer: Issuer) -> None:
    assert await statuses(claimed, {"good": signed(issuer.claims())}) == {"good": 200}


@pytest.mark.parametrize("name", CLAIMS)
async def test_no_claim_causes_an_error(claimed: Target, issuer: Issuer, name: str) -> None:
    tokens = {
        kind: signed({**issuer.claims(sub=f"user of {kind}"), name: value})
        for kind, value in VALUES.items()
    }
    found = await statuses(claimed, tokens)
    assert set(found.values()) <= {200, 401}, found
    if name in NEEDED:
        assert {found[kind] for kind in UNSTORABLE} == {401}


@pytest.mark.parametrize("name", HEADERS)
async def test_no_header_causes_an_error(claimed: Target, issuer: Issuer, name: str) -> None:
    tokens = {kind: signed(issuer.claims(), **{name: value}) for kind, value in VALUES.items()}
    found = await statuses(claimed, tokens)
    assert set(found.values()) <= {200, 401}, found
    assert name in ("jku", "b64") or 200 not in [found[kind] for kind in UNSTORABLE]
