"""Where the database is: DATABASE_URL, libpq's variables, the embedded one; never a password."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from db.core.connections.url import connection_info
from db.core.schema.revisions import head
from gateway.settings import Settings, SettingsRefused, load
from support.commands import Dreamnet
from support.ports import free_port
from support.postgres_proxies import proxy

Capture = pytest.CaptureFixture[str]
LOST = "Xq7"  # in every password below, beside the character in question


# Passwords.


@pytest.mark.parametrize("character", "/?#@:%&= ")
@pytest.mark.parametrize("command", ["doctor", "serve", "migrate up", "migrate check", "keys list"])
def test_no_command_prints_a_password(
    dreamnet: Dreamnet, capsys: Capture, command: str, character: str
) -> None:
    port = str(free_port())
    for password in (f"{LOST}{character}w", f"12{character}{LOST}", f"{LOST}{character}{LOST}"):
        url = f"postgresql://ada:{password}@127.0.0.1:1/d"
        assert dreamnet(*command.split(), DATABASE_URL=url, DREAMNET_PORT=port) in (1, 3)
        out, error = capsys.readouterr()
        assert "at 127.0.0.1:1/d" in out + error
        assert LOST not in out + error


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ada:{LOST}@h/d",
        f"postgresql://ada:{LOST}@h:port/d",
        f"postgresql://ada:{LOST}/d",
        f"postgresql://ada:{LOST}@h/d?password={LOST}&shape=1",
        f"postgresql://ada:5432?{LOST}=1@h/d",
        f"postgresql://h/d?sslmode={LOST}",
        f"host=h password={LOST}",
        LOST,
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "DREAMNET_DIRECT_URL"])
def test_a_url_that_is_refused_is_not_shown(
    dreamnet: Dreamnet, capsys: Capture, name: str, url: str
) -> None:
    assert dreamnet("doctor", **{name: url}) == 2
    out, error = capsys.readouterr()
    assert error.startswith(f"{name} is invalid: ")
    assert error.count("\n") == 1
    assert LOST not in out + error


def test_old_generations_show_no_password(
    dreamnet: Dreamnet, capsys: Capture, database_url: str
) -> None:
    for url, code in (
        (f"postgresql://ada:{LOST}/w@127.0.0.1:1/old", 1),
        (f"postgresql://ada:{LOST}@h:p/old", 2),
    ):
        arguments = ("import", "--legacy-generations", url)
        assert dreamnet(*arguments, DATABASE_URL=database_url) == code
        out, error = capsys.readouterr()
        assert LOST not in out + error
        assert error.count("\n") == 1


# The variables of libpq.


def names_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(Settings.variable(name), raising=False)


def test_pghost_names_the_database_of_every_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names_nothing(monkeypatch, tmp_path)
    monkeypatch.setenv("PGUSER", "ada")
    assert load().connection is None  # the embedded one: nothing names a server
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("PGDATABASE", "dreams")
    assert str(load().connection) == "at db.example:5432/dreams"
    monkeypatch.setenv("DREAMNET_ENV", "production")
    assert str(load().connection) == "at db.example:5432/dreams"
    monkeypatch.setenv("DATABASE_URL", "postgresql://other.example/d")
    assert str(load().connection) == "at other.example:5432/d"
    assert load().connection.user == "ada"


def test_variables_may_stand_in_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names_nothing(monkeypatch, tmp_path)
    Path(".env").write_text("PGHOST=a.example\nPGPORT=6000\nPGDATABASE=d\n")
    monkeypatch.setenv("PGPORT", "7000")
    assert str(load().connection) == "at a.example:7000/d"


def test_a_service_names_the_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names_nothing(monkeypatch, tmp_path)
    Path("services").write_text("[main]\nhost=a.example\ndbname=d\n")
    monkeypatch.setenv("PGSERVICEFILE", "services")
    assert load().connection is None
    monkeypatch.setenv("PGSERVICE", "main")
    assert str(load().connection) == "at a.example:5432/d"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PGSSLMODE", "on", "PGSSLMODE must be one of disable, allow, prefer, require, "),
        ("PGPORT", "x", "port must be a number from 1 to 65535."),
        ("PGREQUIREAUTH", "scram-sha-256", "PGREQUIREAUTH is not supported."),
        ("PGSERVICE", "nothing", "service is not in any service file."),
    ],
)
def test_a_variable_that_is_not_acceptable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    names_nothing(monkeypatch, tmp_path)
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert str(refused.value).startswith(f"The variables of libpq are not acceptable: {sentence}")


def test_a_direct_url_alone_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names_nothing(monkeypatch, tmp_path)
    monkeypatch.setenv("DREAMNET_DIRECT_URL", "postgresql://h/d")
    with pytest.raises(SettingsRefused, match="DREAMNET_DIRECT_URL needs DATABASE_URL"):
        load()


def test_doctor_by_variables(dreamnet: Dreamnet, capsys: Capture, database_url: str) -> None:
    info = connection_info(database_url)
    (host,) = info.hosts
    variables = {"PGHOST": host.name, "PGUSER": info.user, "PGDATABASE": info.dbname}
    assert dreamnet("doctor", **variables, PGPASSWORD=LOST) == 0
    printed = capsys.readouterr().out
    assert f"not set: {info.dbname} on this machine" in printed
    assert "PGDATABASE, PGHOST, PGPASSWORD, PGUSER set" in printed
    assert LOST not in printed


def test_the_embedded_database_heeds_no_variable(tmp_path: Path) -> None:
    """Such as those of somebody who works with a server elsewhere, too."""
    variables = {
        "PGUSER": "nobody",
        "PGPASSWORD": LOST,
        "PGPORT": "1",
        "PGDATABASE": "x",
        "PGSSLMODE": "verify-full",
        "PGSSLNEGOTIATION": "direct",
        "PGOPTIONS": "-cport=1",
        "PGTARGETSESSIONATTRS": "standby",
        "PGGSSLIB": "gssapi",
    }
    kept = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
    command = [sys.executable, "-m", "gateway", "migrate", "up"]
    done = subprocess.run(
        command, cwd=tmp_path, env=kept | variables, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The database is at revision {head()}.\n"


async def test_the_startup_message_names_the_database(database_url: str, tmp_path: Path) -> None:
    info = connection_info(database_url)
    async with proxy(database_url) as port:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve"),
            cwd=tmp_path,
            env={
                **os.environ,
                "DATABASE_URL": f"postgresql://{info.user}:{LOST}@127.0.0.1:{port}/{info.dbname}",
                "DREAMNET_PORT": str(free_port()),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout
        assert process.stderr
        greeting = [await process.stdout.readline() for _ in range(6)]
        process.terminate()
        log = await process.stderr.read()
        await process.wait()
    place = f"  Data     the database at 127.0.0.1:{port}/{info.dbname}\n"
    assert place in [line.decode() for line in greeting]
    assert LOST.encode() not in b"".join(greeting) + log


def test_doctor_compares_the_two_ways(
    dreamnet: Dreamnet, capsys: Capture, database_url: str, server_url: str
) -> None:
    assert dreamnet("doctor", DATABASE_URL=database_url, DREAMNET_DIRECT_URL=database_url) == 0
    assert dreamnet("doctor", DREAMNET_DIRECT_URL=server_url) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "DREAMNET_DIRECT_URL is another database than DATABASE_URL." in printed
