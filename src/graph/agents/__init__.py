"""Agents: workers of DreamNet, their current state and their reports."""

from graph.agents.inputs import (
    AgentFilter as AgentFilter,
    AgentOrder as AgentOrder,
    AgentReportFilter as AgentReportFilter,
    AgentReportOrder as AgentReportOrder,
)
from graph.agents.operations import Mutations as Mutations, Queries as Queries
from graph.agents.streams import Subscriptions as Subscriptions
from graph.agents.types import Agent as Agent, AgentReport as AgentReport
