"""Parse: the row of a line, or the reason why it is invalid."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from db.agents import AgentReport
from db.ai_models import AiModel
from db.ai_tests import AiTest
from db.core import secret_detection
from db.core.errors import FieldError
from db.core.table import Row, Table
from db.core.values import json
from db.core.values.validation import DOCUMENT, field_errors
from db.dreams import Dream
from db.events import Event
from db.importer.kinds import (
    AiModelLine,
    AnyLine,
    BadLine,
    DreamLine,
    MetricLine,
    Repeats,
)
from db.metrics import Metric

TABLES: dict[str, type[Table]] = {
    "model": AiModel,
    "dream": Dream,
    "test": AiTest,
    "event": Event,
    "metric": Metric,
    "agentReport": AgentReport,
}

_LINES: TypeAdapter[AnyLine] = TypeAdapter(Annotated[AnyLine, Field(discriminator="kind")])

# the escape of U+0000, unless its backslash is itself escaped
_ZERO = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_DECIMAL = 'must be a decimal number as a text, such as "12.50"'

# by pydantic's error type; braces are filled from its context
_WORDS = {
    "bool_type": "must be true or false",
    "decimal_parsing": _DECIMAL,
    "decimal_type": _DECIMAL,
    "dict_type": "must be an object",
    "extra_forbidden": "is not a field of this kind",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_parsing_size": "must be less than 9223372036854775808",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "missing": "is missing",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "union_tag_invalid": "kind must be one of {expected_tags}",
    "union_tag_not_found": "kind is missing",
}


def parse(text: bytes, repeats: Repeats, latest: datetime | None = None) -> tuple[str, Row]:
    """The kind and the row of a line, with times no later than `latest`. Raises BadLine."""
    context: dict[str, object] = {"latest": latest}
    try:
        line = _LINES.validate_json(text, context=context)
        exact = line if json.is_exact(text) else _exactly(text, context)
    except ValidationError as error:
        raise BadLine(_reasons(text, error)) from None
    if b"\\u0000" in text and _ZERO.search(text):
        raise BadLine("a text contains the character U+0000, which PostgreSQL cannot store")
    row = exact.row()
    if isinstance(line, MetricLine):
        row["id"] = line.id_among(repeats)
    if latest is not None and (row.get("completed_at") or latest) > latest:
        raise BadLine("durationMs must not end in the future")
    if faults := [_said(fault) for fault in _faults(TABLES[line.kind], row)]:
        raise BadLine("; ".join(faults))
    if not isinstance(line, DreamLine | AiModelLine):
        row = secret_detection.masked_row(row)
    return line.kind, row


def _faults(table: type[Table], row: Row) -> Iterator[FieldError]:
    """The errors of a row by the checks of its columns; JSON is limited in all columns."""
    yield from field_errors(table.checks, row)
    documents = {name: value for name, value in row.items() if isinstance(value, dict)}
    yield from field_errors(
        dict.fromkeys(documents.keys() - table.checks.keys(), DOCUMENT), documents
    )


def _said(fault: FieldError) -> str:
    name, dot, rest = (fault.field or "").partition(".")
    return f"{to_camel(name)}{dot}{rest}: {fault.message}"


def _exactly(text: bytes, context: dict[str, object]) -> AnyLine:
    return _LINES.validate_python(_read(text), strict=False, context=context)


def _read(text: bytes) -> json.JsonValue:
    try:
        return json.received(text)
    except json.TooManyDigits as error:
        raise BadLine(str(error)) from None
    except json.JSONDecodeError as error:
        raise BadLine(f"the line is not JSON: {error}") from None


def _reasons(text: bytes, error: ValidationError) -> str:
    try:
        text.decode()
    except UnicodeDecodeError as undecodable:
        return f"the line is not UTF-8 at byte {undecodable.start + 1}"
    return "; ".join(_reason(detail) for detail in error.errors(include_url=False))


def _reason(detail: ErrorDetails) -> str:
    type, loc = detail["type"], detail["loc"]
    if type == "json_invalid":
        return f"the line is not JSON: {detail['ctx']['error'].replace('line 1 ', '')}"
    if not loc and type == "dict_type":
        return "the line must be a JSON object"
    field = ".".join(str(part) for part in loc[1:])  # the first part is the kind
    words = _WORDS.get(type, detail["msg"].replace("Input should", "must"))
    return f"{field} {words.format(**detail.get('ctx', {}))}".strip()
