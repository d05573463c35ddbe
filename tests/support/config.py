"""Configuring: settings, the environment and feature flags, as operators write them."""

from typing import Any

from db.users import Role
from graph.core.principal import Principal
from support.mutations import Run, outcome

OPERATOR = Principal(role=Role.OPERATOR)
FIELD = "... on Invalid { field }"
SHOWN = {
    "setConfig": f"""... on ConfigEntry {{
      key kind value reference description category version updatedBy {{ id }}
    }} {FIELD}""",
    "removeConfig": "... on ConfigRemoved { removedConfigId }",
    "syncEnvironment": f"... on EnvironmentSynced {{ stored referenced missing }} {FIELD}",
    "setFeatureFlag": f"""... on FeatureFlag {{
      key enabled rolloutPercent description
    }} {FIELD}""",
}


async def configure(run: Run, verb: str, who: Principal = OPERATOR, **input: Any) -> dict[str, Any]:
    """The result of a mutation, by default for an operator."""
    shown = f"__typename {SHOWN[verb]} ... on Error {{ message code }}"
    return await outcome(run, verb, input, who, shown)
