"""Input validation: checks arguments as declared, before resolvers run.

Checks are declared on arguments and input fields. All errors in the arguments of a field are
reported at once, with the client's names.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLType,
    get_nullable_type,
)
from strawberry import UNSET
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryMaybe, StrawberryOptional

from db.core.errors import FieldError, Invalid
from graph.core.types.errors import INPUT, MAX_FAULTS
from graph.core.types.field import column_of, names_of
from graph.core.types.payload import payload_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NOT_NULL = "This cannot be null. Omit it to keep the current value."

Faults = Iterator[FieldError]

# Finding


def faults_of(arguments: Mapping[str, GraphQLArgument], given: Mapping[str, object]) -> Faults:
    for name, argument in arguments.items():
        if name in given:
            faults = _faults(argument, given[name])
            yield from faults if name == INPUT else (fault.under(name) for fault in faults)


def faults_in(input: "DataclassInstance") -> Faults:
    """The errors in an input without nested inputs, validated apart from others."""
    cls, columns = type(input), {}
    for field in get_object_definition(cls, strict=True).fields:
        value = getattr(input, field.python_name)
        if value is not UNSET and value is not None:
            columns[column_of(field)] = value
            if check := field.metadata.get("check"):
                yield from (fault.under(column_of(field)) for fault in check.faults(value))
    for find in getattr(cls, "together", ()):
        yield from find(columns)


def _faults(item: GraphQLArgument | GraphQLInputField, value: object) -> Faults:
    declared = item.extensions["strawberry-definition"]
    check = declared.metadata.get("check")
    if value is None:
        refused = declared.metadata.get("not_null") or (check and check.null)
        if message := refused or _refusal_of_null(declared.type):
            yield FieldError(message)
        return
    faults = tuple(check.faults(value)) if check else ()
    yield from faults
    if not faults and not declared.metadata.get(
        "apart"
    ):  # values that are too large are not inspected
        yield from _nested_faults(get_nullable_type(item.type), value)


def _nested_faults(type_: GraphQLType, value: Any) -> Faults:  # of that type
    if isinstance(type_, GraphQLInputObjectType):
        yield from _of_input(type_, value)
    elif isinstance(type_, GraphQLList):
        inner: object = get_nullable_type(type_.of_type)
        if isinstance(inner, GraphQLInputObjectType):
            for index, part in enumerate(value):
                if part is not None:
                    yield from (f.under(str(index)) for f in _of_input(inner, part))


def _of_input(type_: GraphQLInputObjectType, given: Mapping[str, object]) -> Faults:
    for name, field in type_.fields.items():
        if name in given:
            yield from (fault.under(name) for fault in _faults(field, given[name]))
    cls = type_.extensions["strawberry-definition"].origin
    together = getattr(cls, "together", ())
    if together:
        names = names_of(cls)
        columns = {column: given[name] for column, name in names.items() if name in given}
        for find in together:
            yield from (fault.renamed(names) for fault in find(columns))


def _refusal_of_null(type_: object) -> str | None:
    is_value = isinstance(type_, StrawberryMaybe) and not isinstance(
        type_.of_type, StrawberryOptional
    )
    return NOT_NULL if is_value else None


# Refusing


def install(schema: GraphQLSchema) -> None:
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field in type_.fields.values():
                if field.args:
                    _guard(field)


def _guard(field: GraphQLField) -> None:
    name = "subscribe" if field.subscribe else "resolve"
    resolve = getattr(field, name)
    refuse = _reporter_of_invalid(field)

    @wraps(resolve)
    def guarded(source: object, info: object, **given: object) -> object:
        faults = tuple(islice(faults_of(field.args, given), MAX_FAULTS))
        return refuse(Invalid.of(faults)) if faults else resolve(source, info, **given)

    setattr(field, name, guarded)


def _reporter_of_invalid(field: GraphQLField) -> Callable[[Invalid], object]:
    """How a field reports invalid arguments: with its payload if it has one, else with an error."""
    payload = payload_of(field)
    return payload.failed if payload else _raised


def _raised(invalid: Invalid) -> NoReturn:
    raise invalid
