"""Document manifest: a file that lists documents by their identifiers.

Three formats are read: that of Apollo's generate-persisted-query-manifest, that of Relay's
compiler, and that of GraphQL Code Generator, which is the same as Relay's.
"""

from hashlib import sha256
from pathlib import Path

import orjson

APOLLO = "apollo-persisted-query-manifest"
FORMATS = "must be a manifest of Apollo, Relay or GraphQL Code Generator: a JSON object"
SHA256 = "sha256:"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def read_manifest(path: Path) -> dict[str, str]:
    """The documents of a manifest, by identifier and by hash. Raises ValueError."""
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ValueError(FORMATS) from None
    if not isinstance(content, dict):
        raise ValueError(FORMATS)
    listed = _of_apollo(content) if content.get("format") == APOLLO else content
    texts: dict[str, str] = {}
    for id, text in listed.items():
        if not isinstance(text, str) or not text.strip() or "\0" in text:
            raise ValueError(f"has no document for {id[:100]}")
        texts[id.removeprefix(SHA256)] = texts[digest(text)] = text
    return texts


def _of_apollo(content: dict[str, object]) -> dict[str, object]:
    operations = content.get("operations")
    if content.get("version") != 1 or not isinstance(operations, list):
        raise ValueError("must be of version 1 of Apollo's format, with a list of operations")
    listed: dict[str, object] = {}
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("id"), str):
            raise ValueError("has an operation without an id")
        listed[operation["id"]] = operation.get("body")
    return listed
