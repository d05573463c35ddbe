"""Types of the console: strict, and those of its operations come from schema.graphql."""

from support.console import ROOT
from support.nodejs import run


async def test_types_are_right() -> None:
    await run("node", "node_modules/typescript/bin/tsc", folder=ROOT / "web" / "console")
