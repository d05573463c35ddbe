"""API: the operations of a worker, sent to the gateway over HTTP."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import cast

import httpx2
import orjson

from gateway.worker.items import Answer, Verdict, WorkItem

TIMEOUT_SECONDS = 30.0  # of a request; a subscription has a message every 10 s
DATA = "data:"

CLAIM = """mutation ($input: ClaimAiTestsInput!) {
  claimAiTests(input: $input) {
    claims {
      claimId
      aiTest { id provider model testParameters dream { title description originalPrompt } }
    }
    errors { code message }
  }
}"""
EXTEND = """mutation ($input: ExtendAiTestClaimsInput!) {
  extendAiTestClaims(input: $input) { lostClaimIds errors { code message } }
}"""
COMPLETE = """mutation ($input: CompleteAiTestInput!) {
  completeAiTest(input: $input) { errors { code message } }
}"""
FAIL = """mutation ($input: FailAiTestInput!) {
  failAiTest(input: $input) { errors { code message } }
}"""
RELEASE = """mutation ($input: ReleaseAiTestInput!) {
  releaseAiTest(input: $input) { errors { code message } }
}"""
WAITING = """subscription ($providers: [String!], $models: [String!]) {
  waitingAiTests(providers: $providers, models: $models) { kind }
}"""

Json = dict[str, object]


class RequestFailed(Exception):
    """The gateway refused a request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tests that a worker runs."""

    provider: str
    models: Sequence[str] | None
    worker: str
    lease_seconds: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A test that was claimed."""

    id: str
    test_id: str
    item: WorkItem


class Api:
    """The operations of a worker. Raises RequestFailed and what httpx2 does."""

    def __init__(self, client: httpx2.AsyncClient, wanted: Wanted) -> None:
        self.client = client
        self.wanted = wanted

    async def claim(self, limit: int) -> list[Claim]:
        wanted = self.wanted
        input: Json = {"provider": wanted.provider, "limit": limit, "worker": wanted.worker}
        input |= {"models": wanted.models, "leaseSeconds": wanted.lease_seconds}
        claimed = await self._mutate(CLAIM, input)
        return [_claim(each) for each in cast("list[Json]", claimed["claims"])]

    async def extend(self, claim_ids: Sequence[str]) -> list[str]:
        """Extend claims; return the IDs of those that are lost."""
        input: Json = {"claimIds": claim_ids, "leaseSeconds": self.wanted.lease_seconds}
        return cast("list[str]", (await self._mutate(EXTEND, input))["lostClaimIds"])

    async def complete(
        self, claim: Claim, answer: Answer, verdict: Verdict | None, milliseconds: int
    ) -> None:
        result: Json = {"durationMs": str(milliseconds)}
        if answer.tokens_used is not None:
            result["tokensUsed"] = str(answer.tokens_used)
        if answer.cost is not None:
            result["cost"] = str(answer.cost)
        if verdict is not None:
            result |= {
                "impossibilityScore": verdict.impossibility_score,
                "confidence": verdict.confidence,
                "reasoning": verdict.reasoning,
            }
        await self._mutate(COMPLETE, _of(claim) | result)

    async def fail(self, claim: Claim, reason: str) -> None:
        await self._mutate(FAIL, _of(claim) | {"reasoning": reason})

    async def release(self, claim: Claim, reason: str | None) -> None:
        await self._mutate(RELEASE, _of(claim) | {"reason": reason})

    async def waiting(self) -> AsyncIterator[str]:
        """The kinds of messages about tests that wait, until the connection ends."""
        variables: Json = {"providers": [self.wanted.provider], "models": self.wanted.models}
        body = {"query": WAITING, "variables": variables}
        accept = {"accept": "text/event-stream"}
        async with self.client.stream("POST", "/graphql", json=body, headers=accept) as response:
            if response.status_code != httpx2.codes.OK:
                raise RequestFailed(str(response.status_code), "the subscription was refused")
            async for line in response.aiter_lines():
                if line.startswith(DATA) and (kind := _kind(line.removeprefix(DATA))):
                    yield kind

    async def _mutate(self, document: str, input: Json) -> Json:
        body = {"query": document, "variables": {"input": input}}
        response = await self.client.post("/graphql", json=body)
        answer: Json = orjson.loads(response.content)
        _raise_first(answer.get("errors"))
        [payload] = cast("dict[str, Json]", answer["data"]).values()
        _raise_first(payload["errors"])
        return payload


def _of(claim: Claim) -> Json:
    return {"id": claim.test_id, "claimId": claim.id}


def _claim(shown: Json) -> Claim:
    test = cast("Json", shown["aiTest"])
    dream = cast("dict[str, str | None]", test["dream"])
    texts = dream["originalPrompt"], dream["description"], dream["title"]
    item = WorkItem(
        str(test["provider"]),
        str(test["model"]),
        str(dream["title"]),
        next(text for text in texts if text is not None),
        cast("Json", test["testParameters"]),
    )
    return Claim(str(shown["claimId"]), str(test["id"]), item)


def _kind(data: str) -> str | None:
    message = orjson.loads(data) if data.strip() else {}
    _raise_first(message.get("errors"))
    update = (message.get("data") or {}).get("waitingAiTests") or {}
    return cast("str | None", update.get("kind"))


def _raise_first(errors: object) -> None:
    for error in cast("list[Json]", errors or []):
        extensions = cast("Json", error.get("extensions", {}))
        code = str(error.get("code", extensions.get("code")))
        raise RequestFailed(code, str(error.get("message")))
