"""What agents report of themselves: their state, their history, their errors, their figures."""

from datetime import UTC, datetime
from typing import Any

from support.ingestion import at
from support.principals import with_scopes


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_a_report_of_an_agent(done: Any, data: Any) -> None:
    report = {
        "agentKey": "scout",
        "status": "RUNNING",
        "currentTask": {"name": "look", "left": None},
        "performanceMetrics": {"speed": 2},
        "reportedAt": at(),
    }
    stored = await done("reportAgentStatus", report)
    query = """{ agent(key: "scout") {
      key status currentTask performanceMetrics lastActive errors { message }
      history { nodes { id previousStatus status error reportedAt receivedAt } }
    } events { nodes { eventType source payload timestamp } } }"""
    answer = await data(query)
    received = answer["agent"]["lastActive"]
    assert at() <= received <= now()
    assert answer["agent"] == {
        "key": "scout",
        "status": "RUNNING",
        "currentTask": {"name": "look", "left": None},
        "performanceMetrics": {"speed": 2},
        "lastActive": received,
        "errors": [],
        "history": {
            "nodes": [
                {
                    "id": stored["storedId"],
                    "previousStatus": None,
                    "status": "RUNNING",
                    "error": None,
                    "reportedAt": at(),
                    "receivedAt": received,
                }
            ]
        },
    }
    task = {"name": "look", "left": None}
    facts = {"agent_key": "scout", "status": "RUNNING", "task": task, "error": None}
    assert answer["events"]["nodes"] == [
        {
            "eventType": "agent_status_update",
            "source": "agent-manager",
            "payload": facts,
            "timestamp": at(),
        }
    ]


async def test_a_batch_of_reports(done: Any, data: Any) -> None:
    reports = [
        {"agentKey": f"a{n % 3}", "status": "IDLE" if n != 4 else "ASLEEP", "reportedAt": at(n)}
        for n in range(6)
    ]
    batch = await done("reportAgentStatuses", {"reports": reports})
    error = {"code": "INVALID", "field": ["reports", "4", "status"]}
    assert batch["refused"] == [{"index": 4, "errors": [error]}]
    agents = (
        await data("{ agents { nodes { key history(first: 1) { nodes { reportedAt } } } } }")
    )["agents"]["nodes"]
    newest = {a["key"]: a["history"]["nodes"][0]["reportedAt"] for a in agents}
    assert newest == {"a0": at(3), "a1": at(1), "a2": at(5)}


async def test_performance_is_stored_as_state_and_metrics(done: Any, data: Any) -> None:
    report = {"agentKey": "scout", "status": "RUNNING", "taskType": "search", "taskCount": 7}
    await done("reportAgentPerformance", report | {"responseTime": 120.5, "successRate": 98})
    answer = await data(
        """{ agent(key: "scout") { status performanceMetrics }
        metrics(orderBy: [{field: TIMESTAMP}]) { nodes { metricName value unit tags } } }"""
    )
    figures = {"responseTime": 120.5, "successRate": 98, "taskCount": 7}
    assert answer["agent"] == {"status": "RUNNING", "performanceMetrics": figures}
    tags = {"agent_key": "scout", "task_type": "search"}
    named = {
        "agent_scout_response_time": (120.5, "ms"),
        "agent_scout_success_rate": (98, "percentage"),
    }
    stored = {m["metricName"]: (m["value"], m["unit"]) for m in answer["metrics"]["nodes"]}
    assert stored == named
    assert all(m["tags"] == tags for m in answer["metrics"]["nodes"])


async def test_an_error_of_an_agent(done: Any, data: Any) -> None:
    await done("reportAgentError", {"agentKey": "a", "message": "lost", "reportedAt": at(-2)})
    await done(
        "reportAgentError",
        {"agentKey": "a", "message": "again", "status": "WAITING", "reportedAt": at(-1)},
    )
    agent = (await data('{ agent(key: "a") { status errors { at message } } }'))["agent"]
    assert agent == {
        "status": "WAITING",
        "errors": [{"at": at(-2), "message": "lost"}, {"at": at(-1), "message": "again"}],
    }


async def test_an_agent_is_deleted(done: Any, run: Any, data: Any) -> None:
    await done("reportAgentStatus", {"agentKey": "a", "status": "WAITING"})
    text = """mutation { deleteAgent(input: {agentKey: "a"}) {
      deletedAgentId eventId errors { code } } }"""
    id = (await data('{ agent(key: "a") { id } }'))["agent"]["id"]
    who = with_scopes("agents:write")
    first, second = await run(text, who=who), await run(text)
    event = first.data["deleteAgent"]["eventId"]
    assert first.data["deleteAgent"] == {"deletedAgentId": id, "eventId": event, "errors": []}
    nothing = {"deletedAgentId": None, "eventId": None}
    assert second.data["deleteAgent"] == nothing | {"errors": [{"code": "NOT_FOUND"}]}
    answer = await data("{ agents { totalCount } agentHistory { totalCount } }")
    assert answer == {"agents": {"totalCount": 0}, "agentHistory": {"totalCount": 2}}
    query = f'{{ event(id: "{event}") {{ eventType payload }} }}'
    assert (await data(query))["event"] == {
        "eventType": "agent_forgotten",
        "payload": {"agent_key": "a", "status": "WAITING"},
    }


async def task(data: Any, key: str = "a") -> Any:
    """What an agent works on, now and at each report, newest first."""
    query = f"""{{ agent(key: "{key}") {{
      status currentTask history {{ nodes {{ currentTask }} }} }}
      events(filter: {{eventType: {{eq: "agent_status_update"}}}}) {{ nodes {{ payload }} }} }}"""
    answer = await data(query)
    agent, events = answer["agent"], answer["events"]["nodes"]
    history = [report["currentTask"] for report in agent["history"]["nodes"]]
    assert [event["payload"]["task"] for event in events] == history
    return agent["currentTask"], history


async def test_an_error_keeps_the_task_that_failed(done: Any, data: Any) -> None:
    work, error = {"name": "look"}, {"agentKey": "a", "message": "lost"}
    await done("reportAgentError", error | {"reportedAt": at(-9)})
    assert await task(data) == (None, [None])
    status = {"agentKey": "a", "status": "RUNNING", "currentTask": work, "reportedAt": at(-8)}
    await done("reportAgentStatus", status)
    await done("reportAgentError", error | {"reportedAt": at(-7)})
    await done("reportAgentError", error | {"reportedAt": at(-6)})
    assert await task(data) == (work, [work, work, work, None])
    await done("reportAgentError", error | {"reportedAt": at(-5), "currentTask": [1]})
    assert (await task(data))[0] == [1]
    await done("reportAgentError", error | {"reportedAt": at(-4), "currentTask": None})
    await done("reportAgentError", error | {"reportedAt": at(-3)})
    assert await task(data) == (None, [None, None, [1], work, work, work, None])


async def test_a_status_without_a_task_has_none(done: Any, data: Any) -> None:
    status = {"agentKey": "a", "status": "RUNNING"}
    await done("reportAgentStatus", status | {"currentTask": {"n": 1}, "reportedAt": at(-2)})
    await done("reportAgentStatus", status | {"reportedAt": at(-1)})
    assert await task(data) == (None, [None, {"n": 1}])
