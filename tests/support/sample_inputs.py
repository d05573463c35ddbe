"""Samples: an input of every mutation that is acceptable as it is."""

from typing import Any

import db
import db.webhooks.writes
from db import Database
from gateway.auth.pepper import api_key_codec
from graph.core.types.node import global_id
from support.factories import (
    claimed_test,
    make_agent,
    make_ai_model,
    make_ai_test,
    make_alert,
    make_alert_rule,
    make_attachment,
    make_dream,
    make_notification,
    make_user,
    monday_schedule,
)
from support.gateways import production

AT = "2026-11-20T09:30:00Z"
CLAIM = "0b5f6f3e-7d5c-4a53-9f5e-3c1d2b7a9e10"
WALLET = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


async def samples(database: Database, user: Any) -> dict[str, dict[str, Any]]:
    """By mutation, an input for that user, an administrator, with every field that it can have."""
    dream = global_id(await make_dream(database, user_id=user.id))
    test = global_id(await make_ai_test(database, status="RUNNING", impossibility_score=None))
    held = await claimed_test(database, user.id)
    attachment = global_id(await make_attachment(database))
    schedule = global_id(await monday_schedule(database, user.id))
    model = global_id(await make_ai_model(database))
    other = global_id(await make_user(database))
    async with database.write() as session:
        made = await db.api_keys.writes.create(
            session, api_key_codec(production()), user_id=user.id, service="sample"
        )
    key = global_id(made.record)
    notification = global_id(await make_notification(database, user_id=user.id))
    await make_agent(database, agent_key="scout")
    alert_rule = await make_alert_rule(database)
    alert = await make_alert(database, rule_id=alert_rule.id)
    async with database.write() as session:
        made_hook = await db.webhooks.writes.create(session, name="Hook", url="https://a.org/")
    webhook = global_id(made_hook)
    hook = {"name": "Pager", "url": "https://example.org/hook"}
    rule = {
        "name": "Many",
        "watch": {"events": {"eventType": "deployed", "severity": "INFO"}},
        "windowMinutes": 60,
        "comparison": "GTE",
        "threshold": "1",
        "cooldownMinutes": 5,
        "notifies": False,
        "webhookId": webhook,
        "isActive": True,
    }
    words = {"title": "Fly", "description": "Far.", "originalPrompt": "Fly!"}
    prices = {
        "costPer1kTokens": "0.02",
        "inputCostPer1kTokens": "0.01",
        "outputCostPer1kTokens": "0.03",
    }
    outcome = {
        "impossibilityScore": 50,
        "confidence": 90,
        "reasoning": "It flew a little.",
        "durationMs": "1500",
        "tokensUsed": "1000",
        "cost": "0.03",
    }
    recorded = {"dreamId": dream, "provider": "openai", "model": "gpt-4", "status": "COMPLETED"}
    recorded |= {"at": AT, "parameters": {"temperature": 0}, "idempotencyKey": "r", **outcome}
    fields = {"agentKey": "scout", "currentTask": {"id": 1}, "reportedAt": AT}
    fields |= {"idempotencyKey": "a"}
    report = {**fields, "status": "RUNNING", "performanceMetrics": {"load": 1}}
    event = {"eventType": "deployed", "source": "ci", "payload": {}, "metadata": {}}
    event |= {"userId": other, "timestamp": AT, "severity": "INFO", "idempotencyKey": "e"}
    metric = {"metricName": "cpu", "value": 1.5, "unit": "ms", "tags": {}, "timestamp": AT}
    metric |= {"idempotencyKey": "m"}
    action = {"action": "viewed", "page": "/", "sessionId": "s", "metadata": {}, "userId": other}
    action |= {"timestamp": AT, "idempotencyKey": "u"}
    performance = {"responseTime": 12.5, "successRate": 98, "taskCount": 7, "taskType": "test"}
    return {
        "createDream": {
            **words,
            "category": "MATH",
            "tags": ["hard"],
            "isPublic": True,
            "status": "DRAFT",
            "idempotencyKey": "d",
        },
        "editDream": {**words, "id": dream, "category": "MATH", "tags": ["a"]},
        "remixDream": {**words, "id": dream, "idempotencyKey": "x"},
        "deleteDream": {"id": dream},
        "publishDream": {"id": dream},
        "unpublishDream": {"id": dream},
        "achieveDream": {"id": dream},
        "archiveDream": {"id": dream},
        "reviveDream": {"id": dream},
        "createUser": {
            "email": "new@example.org",
            "walletAddress": WALLET,
            "passportTier": "citizen",
            "metadata": {"legacy": 7},
            "idempotencyKey": "n",
        },
        "editUser": {
            "id": other,
            "email": "other@example.org",
            "walletAddress": "0x" + "ab" * 20,
            "passportTier": "dreamer",
            "metadata": {},
        },
        "setPreferences": {"preferences": {"theme": "light"}},
        "setRole": {"id": other, "role": "OPERATOR"},
        "setMonthlyBudget": {
            "id": other,
            "monthlyBudget": "25.5",
            "expectedMonthlyBudget": None,
        },
        "disableUser": {"id": other},
        "enableUser": {"id": other},
        "deleteUser": {"id": other},
        "createApiKey": {
            "service": "ci",
            "scopes": ["events:write"],
            "expiresAt": "2036-01-01T00:00:00Z",
            "userId": other,
        },
        "rotateApiKey": {"id": key, "overlapHours": 1},
        "revokeApiKey": {"id": key},
        "startAiTest": {
            "dreamId": dream,
            "provider": "openai",
            "model": "gpt-4",
            "parameters": {},
            "queue": False,
            "leaseSeconds": 60,
            "maxAttempts": 2,
            "idempotencyKey": "s",
        },
        "completeAiTest": {"id": test, **outcome},
        "failAiTest": {"id": test, "reasoning": "It fell."},
        "cancelAiTest": {"id": test},
        "claimAiTests": {
            "provider": "openai",
            "models": ["gpt-4"],
            "limit": 5,
            "leaseSeconds": 60,
            "worker": "w1",
        },
        "extendAiTestClaims": {"claimIds": [CLAIM], "leaseSeconds": 60},
        "releaseAiTest": {
            "id": global_id(held.test),
            "claimId": str(held.entry.claim_id),
            "reason": "Overloaded.",
        },
        "createAiTestSchedule": {
            "dreamId": dream,
            "cron": "0 6 * * MON",
            "models": [{"provider": "openai", "model": "gpt-4"}],
            "parameters": {},
            "maxAttempts": 2,
            "idempotencyKey": "t",
        },
        "pauseAiTestSchedule": {"id": schedule},
        "resumeAiTestSchedule": {"id": schedule},
        "deleteAiTestSchedule": {"id": schedule},
        "createAttachment": {
            "dreamId": dream,
            "name": "picture.png",
            "contentType": "image/png",
            "size": "8",
            "sha256": "0" * 64,
            "idempotencyKey": "f",
        },
        "completeAttachment": {"id": attachment},
        "deleteAttachment": {"id": attachment},
        "recordAiTest": recorded,
        "recordAiTests": {"tests": [recorded]},
        "createAiModel": {
            "provider": "openai",
            "name": "gpt-5",
            "displayName": "GPT-5",
            "maxTokens": "8192",
            "capabilities": ["VISION"],
            "idempotencyKey": "g",
            **prices,
        },
        "editAiModel": {"id": model, "displayName": "GPT-5", "capabilities": ["VISION"]},
        "repriceAiModel": {"id": model, "validFrom": AT, **prices},
        "retireAiModel": {"id": model},
        "reviveAiModel": {"id": model},
        "reportAgentStatus": report,
        "reportAgentStatuses": {"reports": [report], "idempotencyKey": "b"},
        "reportAgentPerformance": {**fields, "status": "RUNNING", **performance},
        "reportAgentError": {**fields, "message": "It broke.", "status": "ERROR"},
        "deleteAgent": {"agentKey": "scout"},
        "logEvent": event,
        "logEvents": {"events": [event], "idempotencyKey": "b"},
        "logError": {
            "message": "It broke.",
            "stack": "line 1",
            "context": {},
            "source": "ci",
            "timestamp": AT,
            "idempotencyKey": "l",
        },
        "recordMetric": metric,
        "recordMetrics": {"metrics": [metric], "idempotencyKey": "b"},
        "trackUserAction": action,
        "trackUserActions": {"actions": [action], "idempotencyKey": "b"},
        "setConfig": {
            "key": "limits.daily",
            "value": {"limit": 10},
            "description": "A limit.",
            "category": "limits",
        },
        "deleteConfig": {"key": "limits.daily"},
        "syncEnvironment": {"names": ["LANG"]},
        "loadEnvironment": {"names": ["LANG"]},
        "setFeatureFlag": {
            "key": "dark-mode",
            "enabled": True,
            "rolloutPercent": 50,
            "description": "Dark.",
        },
        "deleteFeatureFlag": {"key": "dark-mode"},
        "createAlertRule": {**rule, "idempotencyKey": "alert"},
        "updateAlertRule": {**rule, "id": global_id(alert_rule), "expectedVersion": 1},
        "createWebhook": {**hook, "idempotencyKey": "hook"},
        "updateWebhook": {**hook, "id": webhook, "isActive": True, "expectedVersion": 1},
        "rotateWebhookSecret": {"id": webhook, "expectedVersion": 2},
        "deleteWebhook": {"id": webhook, "expectedVersion": 3},
        "acknowledgeAlert": {"id": global_id(alert)},
        "deleteAlertRule": {"id": global_id(alert_rule), "expectedVersion": 2},
        "setEmailNotifications": {"kinds": ["MAINTENANCE"]},
        "sendNotification": {
            "userId": other,
            "kind": "maintenance",
            "title": "Tonight",
            "body": "The gateway restarts at ten.",
            "payload": {},
            "idempotencyKey": "n",
        },
        "markNotificationRead": {"id": notification},
        "markAllNotificationsRead": {"until": AT},
    }
