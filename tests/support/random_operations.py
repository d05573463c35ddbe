"""Random operations: queries of any shape that the schema allows, with the values that exist.

They have aliases, fragments, directives, variables, filters, orders and pages in both directions.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_non_null_type,
    is_required_argument,
)

MAX_DEPTH = 4
# Their answers depend on the moment.
OF_THE_MOMENT = {"usage", "databaseHealth", "budget", "rateLimit", "window"}
TEXTS = ["a", "A", "", "é", "folding", "gpt", "m1", "anthropic", "x"]
TIMES = ["2026-01-15T12:00:00Z", "2026-01-20T00:00:00+01:00", "2025-12-31T23:59:59.999999Z"]
SCALARS: Mapping[str, Sequence[object]] = {
    "String": TEXTS,
    "Int": [0, 1, 2, 5, 100],
    "Float": [0, 33.33, 80.0, 1e9],
    "Boolean": [True, False],
    "DateTime": TIMES,
    "Decimal": ["0", "0.03", "1.5"],
    "BigInt": ["0", "1", "1500", 7],
    "JSON": [{"a": 1}, {"a": [1, 2.50, None]}],
}


class Operation(NamedTuple):
    """A query and its variables."""

    text: str
    variables: dict[str, object]


class Generator:
    """Makes one operation. `ids` are those of rows that exist, by the name of their type."""

    def __init__(
        self, schema: GraphQLSchema, random: Random, ids: Mapping[str, Sequence[str]]
    ) -> None:
        self.schema = schema
        self.random = random
        self.ids = ids
        self.definitions: dict[str, str] = {}
        self.variables: dict[str, object] = {}
        self.fragments: list[str] = []
        self.aliases = 0

    def operation(self) -> Operation:
        query = self.schema.query_type
        assert query is not None
        names = sorted(set(query.fields) - OF_THE_MOMENT)
        roots = [
            self._field(query, name, MAX_DEPTH)
            for name in self.random.sample(names, self.random.randint(1, 3))
        ]
        defined = ", ".join(f"${name}: {type_}" for name, type_ in self.definitions.items())
        head = f"query Q({defined})" if defined else "query Q"
        text = "\n".join([f"{head} {{ {' '.join(roots)} }}", *self.fragments])
        return Operation(text, self.variables)

    # Selections

    def _selections(self, type_: GraphQLNamedType, depth: int) -> str:
        if isinstance(type_, GraphQLUnionType):
            return " ".join(["__typename", *self._on_types(type_, depth)])
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        fields = type_.fields.items()
        names = [n for n, f in fields if n not in OF_THE_MOMENT and self._fits(f, depth)]
        chosen = self.random.choices(names, k=self.random.randint(1, 4)) if names else []
        parts = [self._field(type_, name, depth) for name in chosen]
        if isinstance(type_, GraphQLInterfaceType):
            parts += self._on_types(type_, depth)
        if not parts or self._chance(0.15):
            parts.append(f"{self._alias()}: __typename")
        return " ".join(self._wrapped(type_, part) for part in parts)

    def _fits(self, field: GraphQLField, depth: int) -> bool:
        return depth > 0 or is_leaf_type(get_named_type(field.type))

    def _on_types(self, type_: Any, depth: int) -> list[str]:
        types = self.schema.get_possible_types(type_)
        chosen = self.random.sample(types, min(len(types), 3))
        return [f"... on {each.name} {{ {self._selections(each, depth - 1)} }}" for each in chosen]

    def _wrapped(self, type_: GraphQLNamedType, part: str) -> str:
        """The selection, sometimes in a fragment."""
        if self._chance(0.1):
            return f"... on {type_.name}{self._directive()} {{ {part} }}"
        if self._chance(0.1):
            name = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {name} on {type_.name} {{ {part} }}")
            return f"...{name}{self._directive()}"
        return part

    def _field(self, type_: Any, name: str, depth: int) -> str:
        field = type_.fields[name]
        inner = get_named_type(field.type)
        shown = f"{self._alias()}: {name}{self._arguments(field)}{self._directive()}"
        if is_leaf_type(inner):
            return shown
        # Edges and page information belong to their connection.
        less = 0 if inner.name == "PageInfo" or inner.name.endswith("Edge") else 1
        return f"{shown} {{ {self._selections(inner, depth - less)} }}"

    def _alias(self) -> str:
        self.aliases += 1
        return f"a{self.aliases}"

    def _directive(self) -> str:
        if not self._chance(0.08):
            return ""
        name = self.random.choice(["include", "skip"])
        is_shown = self._chance(0.7)
        value = is_shown if name == "include" else not is_shown
        return f" @{name}(if: {self._variable('Boolean!', value)})"

    # Arguments

    def _arguments(self, field: GraphQLField) -> str:
        given = {
            name: argument
            for name, argument in field.args.items()
            if is_required_argument(argument) or self._chance(0.3)
        }
        if "first" in given and "last" in given:
            given.pop(self.random.choice(["first", "last"]))
        given = {name: a for name, a in given.items() if name not in ("after", "before")}
        parts = [f"{name}: {self._argument(field, a)}" for name, a in given.items()]
        return f"({', '.join(parts)})" if parts else ""

    def _argument(self, field: GraphQLField, argument: GraphQLArgument) -> str:
        value = self._value(argument.type, get_named_type(field.type).name, 2)
        if self._chance(0.5):
            return self._variable(str(argument.type), value)
        return literal(value)

    def _variable(self, type_: str, value: object) -> str:
        name = f"v{len(self.definitions)}"
        self.definitions[name] = type_
        self.variables[name] = value
        return f"${name}"

    def _value(self, type_: Any, of: str, depth: int) -> Any:
        """A value of an input type; `of` is the type whose IDs are meant."""
        nullable = get_nullable_type(type_)
        if isinstance(nullable, GraphQLList):
            return [self._value(nullable.of_type, of, depth) for _ in range(self._few())]
        if isinstance(nullable, GraphQLInputObjectType):
            return self._object(nullable, depth)
        if isinstance(nullable, GraphQLEnumType):
            return EnumName(self.random.choice(list(nullable.values)))
        if nullable.name == "ID":
            return self._id(of)
        return self.random.choice(SCALARS[nullable.name])

    def _object(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        if type_.is_one_of:
            name = self.random.choice(list(type_.fields))
            return {name: self._value(type_.fields[name].type, "", depth - 1)}
        required = [name for name, f in type_.fields.items() if is_non_null_type(f.type)]
        optional = [
            name
            for name, f in type_.fields.items()
            if name not in required
            and (depth > 0 or not isinstance(get_named_type(f.type), GraphQLInputObjectType))
        ]
        some = self.random.sample(optional, min(len(optional), self.random.randint(0, 2)))
        noun = type_.name.removesuffix("Filter").removesuffix("Order")
        return {n: self._value(type_.fields[n].type, noun, depth - 1) for n in [*required, *some]}

    def _id(self, of: str) -> str:
        known = self.ids.get(of) or [each for ids in self.ids.values() for each in ids]
        return self.random.choice(known) if self._chance(0.9) else f"dream_{0:032x}"

    def _few(self) -> int:
        return self.random.randint(0, 3)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share


class EnumName(str):
    """The name of an enum value, which a literal has without quotes."""

    __slots__ = ()


def literal(value: Any) -> str:
    """A value as a literal of GraphQL."""
    match value:
        case EnumName():
            return str(value)
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list():
            return f"[{', '.join(literal(part) for part in value)}]"
        case dict():
            return f"{{{', '.join(f'{name}: {literal(part)}' for name, part in value.items())}}}"
    return str(value)
