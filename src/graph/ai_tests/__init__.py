"""AI tests: runs of AI models on dreams, and statistics of them."""

from graph.ai_tests.inputs import AiTestFilter as AiTestFilter, AiTestOrder as AiTestOrder
from graph.ai_tests.operations import Mutations as Mutations, Queries as Queries
from graph.ai_tests.queue import (
    QueuedAiTest as QueuedAiTest,
    QueuedAiTestFilter as QueuedAiTestFilter,
    QueuedAiTestOrder as QueuedAiTestOrder,
)
from graph.ai_tests.schedules import (
    AiTestSchedule as AiTestSchedule,
    AiTestScheduleFilter as AiTestScheduleFilter,
    AiTestScheduleOrder as AiTestScheduleOrder,
)
from graph.ai_tests.streams import Subscriptions as Subscriptions
from graph.ai_tests.types import AiTest as AiTest, AiTestConnection as AiTestConnection
