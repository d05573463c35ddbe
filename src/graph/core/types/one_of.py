"""One-of inputs: graphql-core checks that exactly one field is given, and reports it as any other
fault of a value. Strawberry's own check raises another error, which is none of graphql-core's."""

from graphql import GraphQLInputObjectType, GraphQLSchema


def install(schema: GraphQLSchema) -> None:
    for type_ in schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        if isinstance(type_, GraphQLInputObjectType) and getattr(definition, "is_one_of", False):
            type_.is_one_of = True
            type_.out_type = GraphQLInputObjectType.out_type  # type: ignore[method-assign]  # the default
