"""Configuring: settings, the environment and feature flags, as operators write them."""

from typing import Any

from db.users import Role
from graph.core.principal import Principal
from support.mutations import Run, outcome
from support.payloads import ERRORS

OPERATOR = Principal(role=Role.OPERATOR)
SHOWN = {
    "setConfig": """configEntry {
      key kind value reference description category version updatedBy { id }
    }""",
    "deleteConfig": "deletedConfigId",
    "syncEnvironment": "stored referenced missing",
    "loadEnvironment": "references missing",
    "setFeatureFlag": """featureFlag {
      key enabled rolloutPercent description
    }""",
    "deleteFeatureFlag": "deletedFeatureFlagId",
}


async def configure(run: Run, verb: str, who: Principal = OPERATOR, **input: Any) -> dict[str, Any]:
    """The result of a mutation, by default for an operator."""
    shown = f"{SHOWN[verb]} {ERRORS}"
    return await outcome(run, verb, input, who, shown)
