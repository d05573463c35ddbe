"""Dreams: things AI cannot do yet, and their impossibility."""

from graph.dreams.inputs import DreamFilter as DreamFilter, DreamOrder as DreamOrder
from graph.dreams.operations import Mutations as Mutations, Queries as Queries
from graph.dreams.streams import (
    DreamId as DreamId,
    Subscriptions as Subscriptions,
    followed as followed,
)
from graph.dreams.types import (
    Dream as Dream,
    DreamById as DreamById,
    DreamConnection as DreamConnection,
)
