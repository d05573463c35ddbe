"""Trusted documents: those of a manifest are executed, and no others."""

import os
import shutil
from pathlib import Path

import httpx2
import orjson
import pytest

from db import Database
from gateway.document_manifest import read_manifest
from gateway.settings import SettingsRefused, load
from support.gateways import gateway, production
from support.http_client import client_of
from support.nodejs import TESTS, installed, run
from support.persisted_documents import BY_HASH, BY_ID, DATA, HASH, MODELS, by_hash, code
from support.running_gateway import serving
from support.websocket_client import greeted

NEVER = f"sha256:{64 * '0'}"
FRONT_ENDS = TESTS / "front_ends"


def manifest(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "manifest.json"
    file.write_bytes(orjson.dumps(content))
    return file


OPERATION = {"id": "models-1", "name": "Models", "type": "query", "body": MODELS}
FORMATS = {
    "apollo": {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [OPERATION],
    },
    "relay": {"models-1": MODELS},
    "codegen": {"models-1": MODELS, HASH: MODELS},
    "prefixed": {"sha256:models-1": MODELS},
}


@pytest.mark.parametrize("format", FORMATS)
async def test_only_trusted_documents_are_executed(
    database: Database, key: str, tmp_path: Path, format: str
) -> None:
    trusted = production(trusted_documents=manifest(tmp_path, FORMATS[format]))
    async with serving(trusted, database) as served:
        async with httpx2.AsyncClient(base_url=served.address, timeout=20) as client:
            client.headers["authorization"] = key
            by_name = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "models-1"}}}
            listed = ({"documentId": "models-1"}, BY_ID, BY_HASH, by_name, {"query": MODELS})
            for _ in range(2):  # the second time by the short path
                for content in listed:
                    assert (await client.post("/graphql", json=content)).json() == DATA
                text = await client.post("/graphql", json={"query": "{ viewer { role } }"})
                assert (text.status_code, code(text)) == (403, "FORBIDDEN")
                assert "documentId" in text.json()["errors"][0]["message"]
                id = await client.post("/graphql", json={"documentId": NEVER})
                assert code(id) == "PERSISTED_QUERY_NOT_FOUND"
            other = "{ viewer { role } }"
            content = {"query": other, **by_hash(other)}
            assert (await client.post("/graphql", json=content)).status_code == 403
        async with greeted(served.address, authorization=key) as socket:
            (refused,) = await socket.refusal("1", "{ viewer { role } }")
            assert refused["extensions"]["code"] == "FORBIDDEN"


INVALID: list[tuple[object, str]] = [
    ([], "must be a manifest of Apollo, Relay or GraphQL Code Generator"),
    ({"a": 7}, "has no document for a"),
    ({"a": " "}, "has no document for a"),
    ({"format": "apollo-persisted-query-manifest", "version": 2}, "must be of version 1"),
    (
        {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{}]},
        "has an operation without an id",
    ),
]


@pytest.mark.parametrize(("content", "message"), INVALID)
def test_an_invalid_manifest_is_refused_at_start(
    tmp_path: Path, content: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMNET_TRUSTED_DOCUMENTS", str(manifest(tmp_path, content)))
    with pytest.raises(SettingsRefused, match=message):
        load()


def test_a_file_that_is_no_manifest_is_refused_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("{")
    for name, message in (("missing", "cannot be read"), ("text", "must be a manifest")):
        monkeypatch.setenv("DREAMNET_TRUSTED_DOCUMENTS", str(tmp_path / name))
        with pytest.raises(SettingsRefused, match=f"DREAMNET_TRUSTED_DOCUMENTS .*{message}"):
            load()


async def test_the_manifest_of_relays_compiler(
    database: Database, key: str, tmp_path: Path
) -> None:
    await installed(FRONT_ENDS)
    project = tmp_path / "project"
    shutil.copytree(FRONT_ENDS / "relay", project / "relay")
    shutil.copy(FRONT_ENDS / "relay.config.json", project)
    shutil.copy(TESTS.parent / "schema.graphql", project)
    os.symlink(FRONT_ENDS / "node_modules", project / "node_modules")
    file = project / "persisted_queries.json"
    file.write_text("{}")
    await run("node", "node_modules/relay-compiler/cli.js", folder=project)

    (id,) = orjson.loads(file.read_bytes())
    assert f'"id": "{id}"' in (project / "relay/__generated__/modelsQuery.graphql.js").read_text()
    assert read_manifest(file).keys() >= {id}
    async with client_of(gateway(production(trusted_documents=file), database)) as client:
        client.headers["authorization"] = key
        answered = await client.post("/graphql", json={"documentId": id, "variables": {"first": 1}})
        refused = await client.post("/graphql", json={"query": MODELS})
    assert answered.json() == DATA
    assert refused.status_code == 403
