"""MCP tools: what clients read of them before they call them."""

from importlib.resources import files

import jsonschema
import pytest

from gateway.mcp.documents import tool_documents


def test_a_tool_is_a_document() -> None:
    folder = files("gateway.mcp").joinpath("tools")
    assert {f"{name}.graphql" for name in tool_documents()} == {
        file.name for file in folder.iterdir()
    }


@pytest.mark.parametrize("name", tool_documents())
def test_a_tool_is_described(name: str) -> None:
    tool = tool_documents()[name].tool()
    jsonschema.Draft202012Validator.check_schema(tool.input_schema)
    assert tool.description
    undescribed = [
        argument
        for argument, schema in tool.input_schema["properties"].items()
        if not schema.get("description")
    ]
    assert undescribed == []


def test_arguments_follow_from_variables() -> None:
    assert tool_documents()["get_decay"].tool().input_schema == {
        "type": "object",
        "properties": {
            "dreamId": {"type": "string", "description": "ID of the dream."},
            "from": {
                "type": "string",
                "format": "date-time",
                "description": "Start of the time range, inclusive.",
            },
            "to": {
                "type": "string",
                "format": "date-time",
                "description": "End of the time range, exclusive.",
            },
            "bucket": {
                "type": "string",
                "enum": ["MINUTE", "HOUR", "DAY", "WEEK", "MONTH"],
                "description": "Width of each bucket.",
                "default": "DAY",
            },
        },
        "required": ["dreamId"],
        "additionalProperties": False,
    }


def test_arguments_of_mutations_are_fields_of_their_input() -> None:
    schema = tool_documents()["create_dream"].tool().input_schema
    assert set(schema["properties"]) == {
        *("title", "description", "originalPrompt", "category", "tags", "isPublic", "status"),
        "idempotencyKey",
    }
    assert schema["required"] == ["title"]
    assert schema["properties"]["status"]["default"] == "ACTIVE"
    assert schema["properties"]["tags"]["items"] == {"type": "string"}
