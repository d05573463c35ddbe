"""Payloads: what a mutation answered, for tests of what it did."""

from typing import Any

ERRORS = "errors { code message field }"


def outcome_of(payload: dict[str, Any]) -> Any:
    """What a payload shows besides errors, without the name of a single object. Of a payload with
    errors, the first of them."""
    if errors := payload.get("errors"):
        return flat_error(errors[0])
    parts = {name: part for name, part in payload.items() if name not in ("errors", "__typename")}
    if len(parts) == 1 and isinstance(part := next(iter(parts.values())), dict):
        return part
    return parts


def flat_error(error: dict[str, Any]) -> dict[str, Any]:
    """An error with its field as a dotted path, and without a field if that is null."""
    path = error.get("field")
    shown = {name: part for name, part in error.items() if name != "field"}
    return shown if path is None else {**shown, "field": ".".join(path)}


def outcomes_of(batch: dict[str, Any], shown: str = "storedIds") -> list[Any]:
    """What the payload of a batch shows for each item: of a refused one, the first error."""
    refused = {each["index"]: flat_error(each["errors"][0]) for each in batch["refused"]}
    outcomes = [refused.get(index, part) for index, part in enumerate(batch[shown])]
    assert None not in outcomes
    assert batch["storedCount"] == len(outcomes) - len(refused)
    return outcomes
