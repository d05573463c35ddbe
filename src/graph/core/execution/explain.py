"""Explain: what executed an operation, and the statements it sent, for the extensions of its
response."""

from db.core.session.recorder import SentStatement
from graph.core.context import Context


def explain_extension(context: Context) -> dict[str, object]:
    """Empty unless statements are recorded. `statements` are the first of `statementCount`, in the
    order in which they were sent; values are placeholders in their texts."""
    recorder = context.recorder
    if recorder is None:
        return {}
    by_plan = context.executor == "plan" and context.fallback is None
    return {
        "explain": {
            "executor": "plan" if by_plan else "core",
            "fallback": context.fallback,
            "statementCount": recorder.count,
            "statements": [_statement(sent) for sent in recorder.statements],
        }
    }


def _statement(sent: SentStatement) -> dict[str, object]:
    milliseconds = round(sent.seconds * 1000, 3)
    statement: dict[str, object] = {
        "sql": sent.sql,
        "rows": sent.rows,
        "milliseconds": milliseconds,
    }
    return statement if sent.plan is None else statement | {"plan": sent.plan}
