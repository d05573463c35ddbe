"""Annotations: those made at run time, for types that are derived from tables and listings.

mypy reads an annotation as code, so it has no type for one in a variable: here it is an object.
"""

from operator import or_
from types import GenericAlias
from typing import Annotated

import strawberry


def forward_reference(name: str, module: str) -> object:
    return Annotated[name, strawberry.lazy(module)]


def many(annotation: object) -> object:
    return GenericAlias(list, (annotation,))


def optional(annotation: object) -> object:
    return or_(annotation, None)


def annotated(annotation: object, about: object) -> object:
    return Annotated[(annotation, about)]
