"""Input coercion: values of variables, coerced by functions that are made once for each type.

They return what graphql-core's `coerce_input_value` returns, in a third of the time. Types that
contain themselves, such as filters, are left to it.
"""

from collections.abc import Callable
from functools import cache

from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLLeafType,
    Undefined,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_value

Coerce = Callable[[object], object]


class NotCompiled(Exception):
    """A type that contains itself, or that takes one of its fields only."""


def coercion(type_: GraphQLInputType) -> Coerce | None:
    """The function from a value of JSON to the coerced value, or to Undefined if it is invalid.
    None for a type that contains itself."""
    try:
        return _coercion(type_, ())
    except NotCompiled:
        return None


def _coercion(type_: GraphQLInputType, within: tuple[GraphQLInputObjectType, ...]) -> Coerce:
    if is_non_null_type(type_):
        return _required(_coercion(type_.of_type, within))
    if is_list_type(type_):
        return _list(_coercion(type_.of_type, within), type_)
    if is_input_object_type(type_):
        if type_ in within or type_.is_one_of:
            raise NotCompiled
        return _object(type_, within)
    if is_leaf_type(type_):
        return _leaf(type_)
    raise NotCompiled


def _required(coerce: Coerce) -> Coerce:
    return lambda value: Undefined if value is None else coerce(value)


def _leaf(type_: GraphQLLeafType) -> Coerce:
    coerce: Coerce = type_.coerce_input_value  # type: ignore[assignment]  # an enum checks its value

    def coerced(value: object) -> object:
        if value is None:
            return None
        try:
            return coerce(value)
        except Exception:  # of any scalar
            return Undefined

    return coerced


def _list(coerce: Coerce, type_: GraphQLInputType) -> Coerce:
    def coerced(value: object) -> object:
        if not isinstance(value, list):
            return coerce_input_value(value, type_)
        items = []
        for item in value:
            made = coerce(item)
            if made is Undefined:
                return Undefined
            items.append(made)
        return items

    return coerced


@cache  # by types of a schema, and those that contain them
def _object(type_: GraphQLInputObjectType, within: tuple[GraphQLInputObjectType, ...]) -> Coerce:
    fields = [_field(name, field, (*within, type_)) for name, field in type_.fields.items()]

    def coerced(value: object) -> object:
        if not isinstance(value, dict):
            return None if value is None else Undefined
        found, made = 0, {}
        for name, key, coerce, is_required, default in fields:
            given = value.get(name, Undefined)
            if given is Undefined:
                if is_required:
                    return Undefined
                if default is not Undefined:
                    made[key] = default
                continue
            found += 1
            made[key] = part = coerce(given)
            if part is Undefined:
                return Undefined
        if found != len(value):  # there are fields that the type does not have
            return Undefined
        return type_.out_type(made)

    return coerced


def _field(
    name: str, field: GraphQLInputField, within: tuple[GraphQLInputObjectType, ...]
) -> tuple[str, str, Coerce, bool, object]:
    coerce, key = _coercion(field.type, within), field.out_name or name
    return name, key, coerce, is_required_input_field(field), coerce_default_value(field)
