"""Real pages: every page of the console over the real files, with a text that its data shows."""

from sqlalchemy import text

from db import Database

PAGES = {
    "overview": ("/console", "Newest of 181 dreams"),
    "agents": ("/console/agents", "BabyAGI"),
    "agent": ("/console/agents/autogpt:BabyAGI", "Statuses"),
    "dreams": ("/console/dreams", "181 dreams"),
    "dream": ("/console/dreams/{dream}?by=model", "Average of the day"),
    "test": ("/console/dreams/{dream}?test={test}", "Parameters"),
    "public-dream": ("/console/public/dreams/{dream}", "How impossible is it?"),
    "models": ("/console/models", "Deeper is more possible"),
    "model": ("/console/models/one?provider=anthropic&name={model}", "100 newest scored tests"),
    "events": (
        "/console/events?from=2023-11-16T18:00:00Z&to=2023-11-16T20:00:00Z",
        "Events by minute",
    ),
    "alerts": ("/console/alerts", "No alert was opened yet."),
    "rules": ("/console/alerts/rules", "Spend of each user"),
    "rule": ("/console/alerts/rules?new=yes", "When would it have fired?"),
    "webhooks": ("/console/alerts/webhooks", "There are no webhooks yet."),
    "deliveries": ("/console/alerts/deliveries", "There are no messages like this."),
    "metrics": (
        "/console/metrics?from=2014-02-01T00:00:00Z&to=2014-03-01T00:00:00Z",
        "95 % below",
    ),
    "costs": ("/console/costs", "Budget of all users"),
    "keys": ("/console/admin", "New key"),
    "users": ("/console/admin/users", "New user"),
    "settings": ("/console/admin/settings", "There are no settings yet."),
    "flags": ("/console/admin/flags", "There are no feature flags yet."),
    "audit": ("/console/admin/audit?range=all", "Audit trail"),
    "system": ("/console/admin/system", "Slow statements"),
}
IDS = """
select dreams.id as dream, ai_tests.id as test, model
from dreams join ai_tests on dream_id = dreams.id
where provider = 'anthropic' and impossibility_score is not null
order by dreams.title, ai_tests.id limit 1
"""


async def real_ids(imported: Database) -> dict[str, str]:
    """A dream, one of its tests and the model of that, for addresses."""
    async with imported.read() as session:
        [row] = await session.rows(text(IDS))
    return {
        "dream": f"dream_{row.dream.hex}",
        "test": f"ai_test_{row.test.hex}",
        "model": row.model,
    }
