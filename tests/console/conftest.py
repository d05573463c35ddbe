"""The console is built before the first test of a session that shows it. Tests that only read share
a gateway and a browser with the others of their module, on its event loop."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from db import Database
from gateway.console import BUILT
from gateway.settings import Settings
from support.browser import chromium
from support.console import build_console
from support.real_pages import real_ids
from support.running_gateway import Served, serving


@pytest.fixture(scope="session", autouse=True)
def console() -> None:
    asyncio.run(build_console())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium(shared=True) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real_database(imported_url: str) -> AsyncIterator[Database]:
    database = Database(imported_url)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(real_database: Database) -> AsyncIterator[Served]:
    """A gateway over the real files, with their administrator. It accepts only the operations that
    the build has listed."""
    settings = Settings(_env_file=None, trusted_documents=BUILT / "documents.json")
    async with serving(settings, real_database) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ids(real_database: Database) -> dict[str, str]:
    return await real_ids(real_database)
