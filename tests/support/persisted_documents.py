"""Persisted documents: one query, its hash, and how it is sent by hash."""

from hashlib import sha256
from typing import Any

import httpx2

MODELS = "query Models($first: Int) { aiModels(first: $first) { nodes { provider name } } }"
HASH = sha256(MODELS.encode()).hexdigest()
BY_ID = {"documentId": f"sha256:{HASH}"}
DATA = {"data": {"aiModels": {"nodes": []}}}


def by_hash(text: str) -> dict[str, Any]:
    """A request for a document by its hash, as Apollo Client sends it."""
    version = {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}
    return {"extensions": {"persistedQuery": version}}


def code(response: httpx2.Response) -> Any:
    (error,) = response.json()["errors"]
    return error["extensions"]["code"]


BY_HASH = by_hash(MODELS)
