"""The console is built before the first test of a session that shows it."""

import asyncio

import pytest

from support.console import build_console


@pytest.fixture(scope="session", autouse=True)
def console() -> None:
    asyncio.run(build_console())
