"""Documents: the operations in `tools/`, each the declaration of one tool.

The name of an operation is that of the tool, and its description and those of its variables are
what an assistant reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mcp.types import Tool, ToolAnnotations

from gateway.mcp.input_schema import INPUT, JsonSchema, input_schema, takes_input
from graph.core.execution.operation import Operation, prepare
from graph.core.principal import Principal
from graph.schema import schema


@dataclass(frozen=True, slots=True)
class ToolDocument:
    operation: Operation

    @property
    def name(self) -> str:
        return str(self.operation.name)

    @property
    def text(self) -> str:
        return self.operation.text

    def is_allowed(self, principal: Principal) -> bool:
        return self.operation.required_access.refused(principal, {}) is None

    def variables(self, arguments: Mapping[str, object]) -> JsonSchema:
        return {INPUT: arguments} if takes_input(self.operation.node) else dict(arguments)

    def tool(self) -> Tool:
        description = self.operation.node.description
        reads = self.operation.kind == "query"
        return Tool(
            name=self.name,
            title=self.name.replace("_", " ").capitalize(),
            description=description.value if description else None,
            input_schema=input_schema(schema._schema, self.operation.node),
            annotations=ToolAnnotations(
                read_only_hint=reads, destructive_hint=False, open_world_hint=False
            ),
        )


@cache
def tool_documents() -> Mapping[str, ToolDocument]:
    """All tools by name, first those that read."""
    folder = files("gateway.mcp").joinpath("tools")
    texts = [file.read_text() for file in folder.iterdir() if file.name.endswith(".graphql")]
    found = [ToolDocument(prepare(schema, text)) for text in texts]
    found.sort(key=lambda each: (each.operation.kind == "mutation", each.name))
    return {each.name: each for each in found}
