"""The first start, the console's token and `dreamnet keys`: as an operator meets them."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from playwright.async_api import Page, async_playwright

import db
from db import Database, audit, identity, users
from gateway.auth import first_admin
from gateway.auth.authenticator import Auth
from gateway.exit_codes import CommandFailed
from gateway.process import serve
from gateway.process.configuration import uvicorn_config
from gateway.process.listener import listening
from gateway.settings import Settings, SettingsRefused, load
from support.commands import Dreamnet, commands
from support.console import build_console
from support.factories import make_user
from support.nodejs import node
from support.ports import free_port

Capture = pytest.CaptureFixture[str]
WHO = {"query": "{ viewer { role scopes } }"}
KEY = re.compile(r"dn_dev_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}")


def test_the_first_start_closed_to_all_but_token_and_key(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        assert served.ask() == 401
        with httpx2.Client(base_url=served.url) as browser:
            assert browser.post("/session", json={"token": served.token}).status_code == 204
            assert browser.post("/graphql", json=WHO).json()["data"]["viewer"]["role"] == "ADMIN"
            assert browser.post("/session", json={"token": served.token}).status_code == 403
        file = tmp_path / ".dreamnet" / "admin.key"
        key = file.read_text().strip()
        assert KEY.fullmatch(key)
        assert file.stat().st_mode & 0o777 == 0o600
        assert served.ask(key) == 200
        assert served.ask(key[:-1] + ("0" if key[-1] != "0" else "1")) == 401
        lines = served.stop()
    (received,) = [line for line in lines if "first start" in line]
    assert str(file) in received
    assert not [line for line in lines if KEY.search(line) or served.token in line]


class Served:
    """`dreamnet serve` in a process and a folder of its own, not open to this machine."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
        port = free_port()
        self.log = folder / "log"
        self.token = ""
        self.url = f"http://127.0.0.1:{port}"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve"],
                cwd=folder,
                env=kept | {"DREAMNET_PORT": str(port), "DREAMNET_DEV_OPEN": "false"},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def __enter__(self) -> "Served":
        assert self.process.stdout is not None
        greeting = [self.process.stdout.readline() for _ in range(6)]
        self.token = greeting[2].strip().rpartition("/console?token=")[2]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, key: str | None = None) -> int:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        answer = httpx2.post(f"{self.url}/graphql", json=WHO, headers=headers, timeout=10)
        return answer.status_code

    def stop(self) -> list[str]:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()
        return self.log.read_text().splitlines()


async def test_there_is_one_first_start(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "first.key"
    settings = Settings(_env_file=None, key_pepper="p" * 32, admin_key_file=file)
    starts = [first_admin.admin_key(database_url, settings) for _ in range(4)]
    assert sorted(map(str, await asyncio.gather(*starts))) == [str(file), "None", "None", "None"]
    assert list(file.parent.iterdir()) == [file]
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_no_file_no_administrator(database: Database, database_url: str) -> None:
    settings = Settings(
        _env_file=None, key_pepper="p" * 32, admin_key_file=Path("/proc/nothing/admin.key")
    )
    with pytest.raises(CommandFailed, match=r"cannot be written to /proc/nothing/admin\.key"):
        await first_admin.admin_key(database_url, settings)
    async with database.read() as session:
        assert await session.rows(db.users.User.select()) == []


@pytest.fixture
async def page(database: Database) -> AsyncIterator[Page]:
    """The console in Chromium, opened by the token of a gateway that is closed without."""
    settings = Settings(_env_file=None, dev_open=False)
    auth = Auth(settings, database)
    await build_console()
    chromium = await node("browser", "chromium.mjs")
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn_config(settings, database, auth))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium["executable"], args=chromium["args"]
            )
            page = await browser.new_page()
            port = listener.getsockname()[1]
            await page.goto(f"http://127.0.0.1:{port}/console?token={auth.session.token}")
            yield page
            await browser.close()
        server.should_exit = True
        await running


async def test_the_console_signs_in(page: Page) -> None:
    await page.get_by_text("admin@localhost").wait_for()
    assert page.url.endswith("/console")
    assert await page.evaluate("document.cookie") == ""
    await page.reload()
    await page.get_by_text("admin@localhost").wait_for()


@pytest.fixture
def dreamnet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str
) -> Iterator[Dreamnet]:
    """`dreamnet("list")` runs `dreamnet keys list` and returns its exit code."""
    with commands(monkeypatch, tmp_path, "keys", DATABASE_URL=database_url) as dreamnet:
        yield dreamnet


@pytest.fixture
def email(database_url: str) -> str:
    """The address of a user there is."""
    return asyncio.run(_email(database_url))


async def _email(database_url: str) -> str:
    database = Database(database_url)
    user: Any = await make_user(database, role="OPERATOR")
    await database.close()
    return str(user.email)


async def change(database_url: str, email: str, **values: Any) -> None:
    """Changes a user whatever the rules say."""
    database = Database(database_url)
    async with database.write() as session:
        user = await identity.by_email(session, email)
        await audit.change(session, users.User, user, **values)
    await database.close()


def test_keys_are_made_listed_rotated_and_revoked(
    dreamnet: Dreamnet, capsys: Capture, email: str
) -> None:
    made = ("create", "--user", email, "--service", "ci", "--scope", "agents:write")
    assert dreamnet(*made, "--scope", "events:write", "--expires", "90d") == 0
    key, about = capsys.readouterr()
    id = key[7:15]
    assert KEY.fullmatch(key.strip())
    assert "which is not shown again" in about

    assert dreamnet("rotate", id) == 0
    newer = capsys.readouterr().out
    assert KEY.fullmatch(newer.strip())
    assert dreamnet("revoke", id) == 0
    assert dreamnet("list") == 0
    listed = capsys.readouterr().out
    row, newer_row = (line for line in listed.splitlines() if email in line)
    for text in (id, "ci", "agents:write, events:write", "revoked"):
        assert text in row
    assert newer[7:15] in newer_row
    assert "valid until" in newer_row
    assert not KEY.search(listed)
    assert key[16:59] not in listed


def test_a_key_without_scopes_is_listed_as_such(
    dreamnet: Dreamnet, capsys: Capture, email: str
) -> None:
    assert dreamnet("create", "--user", email, "--service", "ci") == 0
    assert dreamnet("list") == 0
    assert "all rights of its user" in capsys.readouterr().out


def test_the_list_marks_scopes_and_keys_without_effect(
    dreamnet: Dreamnet, capsys: Capture, database_url: str, email: str
) -> None:
    made = ("create", "--user", email, "--service", "ci", "--scope", "agents:write")
    assert dreamnet(*made, "--scope", "tests:write") == 0
    asyncio.run(change(database_url, email, role="MEMBER"))
    assert dreamnet("list") == 0
    assert "agents:write (requires OPERATOR), tests:write" in capsys.readouterr().out
    assert dreamnet(*made) == 1
    refused = "The scope agents:write requires the role OPERATOR; this key would act as MEMBER.\n"
    assert capsys.readouterr().err == refused

    asyncio.run(change(database_url, email, disabled_at=datetime(2026, 1, 5, 9, tzinfo=UTC)))
    assert dreamnet("list") == 0
    assert "user disabled 2026-01-05 09:00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["revoke", "AAAAAAAA"], 1, "There is no key with this id.\n"),
        (["rotate", "AAAAAAAA"], 1, "There is no key with this id.\n"),
        (["rotate", "AAAAAAAA", "--overlap", "soon"], 2, "'soon' is not a duration: write 90d"),
        (
            ["create", "--user", "nobody", "--service", "ci"],
            1,
            "There is no user with the address nobody.\n",
        ),
    ],
)
def test_unsupported_pages_are_refused(
    dreamnet: Dreamnet, capsys: Capture, arguments: list[str], code: int, sentence: str
) -> None:
    assert dreamnet(*arguments) == code
    assert capsys.readouterr().err.startswith(sentence)


def test_odd_scopes_and_times(dreamnet: Dreamnet, capsys: Capture, email: str) -> None:
    made = ("create", "--user", email, "--service", "ci")
    assert dreamnet(*made, "--scope", "everything") == 1
    assert dreamnet(*made, "--expires", "0d") == 1
    assert dreamnet(*made, "--expires", "90") == 2
    assert dreamnet(*made, "--expires", "") == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert "There is no scope 'everything'." in error


def test_production_needs_a_pepper(
    dreamnet: Dreamnet, capsys: Capture, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    monkeypatch.setenv("DREAMNET_ENV", "production")
    assert dreamnet("create", "--user", email, "--service", "ci") == 2
    assert capsys.readouterr().err.startswith("DREAMNET_ENV=production needs DREAMNET_KEY_PEPPER")
    with pytest.raises(SettingsRefused, match="needs DREAMNET_KEY_PEPPER"):
        serve.serve(load())


@pytest.mark.parametrize("command", ["", "create", "list", "rotate", "revoke"])
def test_help_is_complete(dreamnet: Dreamnet, capsys: Capture, command: str) -> None:
    assert dreamnet(*command.split(), "--help") == 0
    assert "0 success" in capsys.readouterr().out
