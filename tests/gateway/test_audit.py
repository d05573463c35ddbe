"""The audits of the GraphQL over HTTP specification, as npm's `graphql-http` has them."""

from support.nodejs import node


async def test_every_audit_is_ok(address: str) -> None:
    results = await node("audit", "audit.mjs", f"{address}/graphql")
    assert len(results) == 61
    assert [result for result in results if result["status"] != "ok"] == []
