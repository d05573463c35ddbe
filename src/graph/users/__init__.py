"""Users: people and services that sign in, and the current viewer."""

from graph.users.inputs import USER as USER, UserFilter as UserFilter, UserOrder as UserOrder
from graph.users.operations import Mutations as Mutations, Queries as Queries
from graph.users.types import User as User, UserById as UserById
