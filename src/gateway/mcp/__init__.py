"""MCP: tools for AI assistants, each an operation of the API. Needs the extra `mcp`."""
