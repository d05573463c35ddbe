"""Attacks on a gateway in production."""

from collections.abc import AsyncIterator

import pytest

from db import Database
from support.attack_target import Target, attacked
from support.oidc_issuer import AUDIENCE, Issuer, serving


@pytest.fixture
async def target(database: Database) -> AsyncIterator[Target]:
    """A gateway over this test's database."""
    async with attacked(database) as target:
        yield target


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An OpenID Connect issuer."""
    async with serving() as issuer:
        yield issuer


@pytest.fixture
async def claimed(database: Database, issuer: Issuer) -> AsyncIterator[Target]:
    """A gateway that takes roles from a claim of the issuer's tokens."""
    trusted = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_role_claim": "roles"}
    async with attacked(database, **trusted) as target:
        yield target
