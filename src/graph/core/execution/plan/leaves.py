"""Leaves: the expression that shows a column of a row as a scalar or an enum of the schema."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple, NoReturn

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    get_nullable_type,
    is_non_null_type,
)
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Integer, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB

from db.core.query.projection import Form, Projection
from db.core.table import Column
from graph.core.execution.plan.run import Irregular, Unplanned

BACKSLASH, QUOTE = "\x03", "\x04"
NAMES: dict[str, object] = {"inf": inf}  # of the functions in expressions


def _in_expressions(function: Callable[..., object]) -> Callable[..., object]:
    NAMES[function.__name__] = function
    return function


@_in_expressions
def required(value: object) -> object:
    if value is None:
        raise Irregular("null in a field that is not nullable")
    return value


@_in_expressions
def infinite(_value: float) -> NoReturn:
    raise Irregular("a number that JSON does not have")


@_in_expressions
def document(text: str) -> orjson.Fragment:
    """A JSON document as PostgreSQL prints it, without the spaces between its parts."""
    return orjson.Fragment(text if " " not in text else _compact(text))


def _compact(text: str) -> str:
    """Without the spaces outside of texts, which are the parts between every other quote."""
    is_escaped = "\\" in text
    if is_escaped:  # control characters, which JSON never holds as they are, stand for escapes
        text = text.replace("\\\\", BACKSLASH).replace('\\"', QUOTE)
    parts = text.split('"')
    parts[::2] = '"'.join(parts[::2]).replace(" ", "").split('"')
    text = '"'.join(parts)
    return text.replace(QUOTE, '\\"').replace(BACKSLASH, "\\\\") if is_escaped else text


@_in_expressions
def texts(values: Sequence[str | None]) -> Sequence[str | None]:
    if None in values:
        raise Irregular("null in a list of texts")
    return values


# Written out, because they are evaluated for each value: a call takes as long again.
FINITE = "(x if -inf < (x := {}) < inf else infinite(x))"
TIME = "{}.isoformat('T', 'microseconds') + 'Z'"  # as `print_time`

# By the name of a scalar: the type of the column, the form to select it in, and what shows it.
SCALARS: Mapping[str, tuple[type, Form, str]] = {
    "String": (Text, Form.VALUE, "{}"),
    "Int": (Integer, Form.VALUE, "{}"),
    "Boolean": (Boolean, Form.VALUE, "{}"),
    "Float": (Numeric, Form.FLOAT, FINITE),
    "Decimal": (Numeric, Form.TEXT, "{}"),
    "BigInt": (BigInteger, Form.VALUE, "str({})"),
    "DateTime": (DateTime, Form.UTC, TIME),
    "JSON": (JSONB, Form.TEXT, "document({})"),
}


class Leaf(NamedTuple):
    """A column that is shown: its expression for the row `r`, and its place in the row if it is a
    text, a list of texts or a document, which may be large."""

    expression: str
    text: int | None


def leaf(projection: Projection, name: str, field: GraphQLField, names: dict[str, object]) -> Leaf:
    """`names` are those of the function of the expression. Raises Unplanned if the column cannot be
    shown so."""
    if name not in projection:
        raise Unplanned(f"{name} is not a column")
    column = projection.column(name)
    form, shown = _shown(column, field, names)
    place = projection.index(name, form)
    expression = _expression(f"r[{place}]", shown, column.nullable, field)
    return Leaf(expression, place if isinstance(column.type, Text | ARRAY | JSONB) else None)


def _expression(at: str, shown: str, nullable: bool, field: GraphQLField) -> str:
    if not nullable:
        return shown.format(at)
    if is_non_null_type(field.type):
        return shown.format(f"required({at})")
    return at if shown == "{}" else f"None if {at} is None else {shown.format(at)}"


def _shown(column: Column, field: GraphQLField, names: dict[str, object]) -> tuple[Form, str]:
    type_ = get_nullable_type(field.type)
    if isinstance(type_, GraphQLEnumType):
        names[type_.name] = names_of(column, type_)
        return Form.VALUE, f"{type_.name}[{{}}]"
    if isinstance(type_, GraphQLList):
        inner = get_nullable_type(type_.of_type)
        if isinstance(column.type, ARRAY) and getattr(inner, "name", "") == "String":
            return Form.VALUE, "texts({})"
    kind, form, shown = SCALARS.get(getattr(type_, "name", ""), (None, Form.VALUE, ""))
    is_large = isinstance(column.type, BigInteger) and kind is Integer
    if kind is None or not isinstance(column.type, kind) or is_large:
        raise Unplanned(f"{column} as {type_}")
    return form, shown


def names_of(column: Column, type_: GraphQLEnumType) -> Mapping[str, str]:
    """The names of an enum by the values of a column. Raises Unplanned."""
    choices = column.info.get("choices")
    if choices is None:
        raise Unplanned(f"{column} has no choices")
    return {str(choice.value): type_.coerce_output_value(choice) for choice in choices}
