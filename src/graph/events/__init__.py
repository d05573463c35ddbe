"""Events: the log of the system, listed and counted."""

from graph.events.inputs import EventFilter as EventFilter, EventOrder as EventOrder
from graph.events.operations import Mutations as Mutations, Queries as Queries
from graph.events.streams import Subscriptions as Subscriptions
from graph.events.types import Event as Event
