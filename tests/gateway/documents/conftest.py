"""Fixtures of persisted documents: the credential of an operator."""

import pytest

from db import Database
from support.factories import make_user
from support.gateways import make_key, production


@pytest.fixture
async def key(database: Database) -> str:
    user = await make_user(database, role="OPERATOR")
    return f"Bearer {(await make_key(database, production(), user_id=user.id)).text}"
