"""Field operations: for each field and each input of the schema, an operation that uses it."""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)

from graph.core.execution.input_access import NEUTRAL
from graph.core.execution.required_access import inputs
from graph.core.permission import Access, access_of_field
from graph.schema import schema

TYPES = schema._schema.type_map

INPUTS = dict(inputs(schema._schema))

ROOTS = ("Query", "Mutation", "Subscription")


def fields() -> Iterator[tuple[str, str]]:
    for name, type_ in sorted(TYPES.items()):
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            yield from ((name, field) for field in type_.fields)


def declared(type_name: str, field_name: str) -> Access:
    type_: Any = TYPES[type_name]
    access = access_of_field(type_, type_.fields[field_name])
    assert access is not None, f"{type_name}.{field_name} declares no access"
    return access


def example(type_: Any) -> str:
    """A literal that a type accepts."""
    if isinstance(type_, GraphQLNonNull):
        return example(type_.of_type)
    if isinstance(type_, GraphQLList):
        return "[]"
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        required = {n: f for n, f in type_.fields.items() if isinstance(f.type, GraphQLNonNull)}
        if type_.is_one_of:
            required = dict([next(iter(type_.fields.items()))])
        return "{" + " ".join(f"{n}: {example(f.type)}" for n, f in required.items()) + "}"
    literals = {"Int": "1", "Float": "1", "Boolean": "false", "BigInt": "1", "JSON": "{}"}
    return literals.get(type_.name, '"2026-01-01T00:00:00Z"')


def asked(name: str, field: GraphQLField, more: str = "") -> str:
    """A field with the arguments that it cannot do without, and more."""
    given = more.partition(":")[0]
    required = [
        f"{n}: {example(a.type)}"
        for n, a in field.args.items()
        if isinstance(a.type, GraphQLNonNull) and not a.default and n != given
    ]
    arguments = ", ".join([*required, *filter(None, [more])])
    return f"{name}({arguments})" if arguments else name


def leaves(type_: Any) -> str:
    """The least that can be selected of a type."""
    return " { __typename }" if is_composite_type(get_named_type(type_)) else ""


@cache
def ways() -> dict[str, tuple[tuple[str, str], ...]]:
    """For each type the shortest way to it from a root, as fields on the way."""
    found: dict[str, tuple[tuple[str, str], ...]] = dict.fromkeys(ROOTS, ())
    waiting = list(found)
    while waiting:
        name = waiting.pop(0)
        for step, field in TYPES[name].fields.items():
            named = get_named_type(field.type)
            for target in () if is_leaf_type(named) else possible(named):
                if target not in found:
                    found[target] = (*found[name], (name, step))
                    waiting.append(target)
    return found


def possible(type_: Any) -> list[str]:
    if isinstance(type_, GraphQLObjectType):
        return [type_.name]
    return [member.name for member in schema._schema.get_possible_types(type_)]


def document(type_name: str, field_name: str, argument: str = "") -> str:
    """An operation that selects one field of a type, by the shortest way."""
    type_: Any = TYPES[type_name]
    way, field = ways()[type_name], type_.fields[field_name]
    text = f"... on {type_name} {{ {asked(field_name, field, argument)}{leaves(field.type)} }}"
    for parent, step in reversed(way):
        step_field = TYPES[parent].fields[step]
        text = f"... on {parent} {{ {asked(step, step_field)} {{ {text} }} }}"
    root = way[0][0] if way else type_name
    return f"{root.lower()} {{ {text} }}"


def accesses(type_name: str, field_name: str) -> list[Access]:
    """The accesses that selecting a field by the shortest way requires."""
    return [declared(*step) for step in (*ways()[type_name], (type_name, field_name))]


class Using(NamedTuple):
    """A field with an argument that uses an input."""

    type_name: str
    field_name: str
    argument: str


def usings() -> Iterator[tuple[str, Using]]:
    """For each input that may reveal something a field that uses it; those of lists once for each
    list."""
    for type_name, field_name in fields():
        field: Any = TYPES[type_name].fields[field_name]
        for name, argument in field.args.items():
            named, place = get_named_type(argument.type), f"{type_name}.{field_name}({name}:)"
            if name == "filter":
                for item, inner in named.fields.items():
                    text = f"filter: {{{item}: {example(inner.type)}}}"
                    yield f"{named.name}.{item}", Using(type_name, field_name, text)
            elif name == "orderBy":
                choices = get_named_type(named.fields["field"].type)
                for value in choices.values:
                    text = f"orderBy: [{{field: {value}}}]"
                    yield f"{choices.name}.{value}", Using(type_name, field_name, text)
            elif name == "input":
                for item, inner in named.fields.items():
                    if INPUTS[f"{named.name}.{item}"]:
                        begin = example(named).removesuffix("}")
                        text = f"input: {begin} {item}: {example(inner.type)}}}"
                        yield f"{named.name}.{item}", Using(type_name, field_name, text)
            elif name not in NEUTRAL:
                yield place, Using(type_name, field_name, f"{name}: {example(argument.type)}")
