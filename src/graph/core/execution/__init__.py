"""Execution: from the text of an operation to its result."""
