"""The API with a client that ariadne-codegen generates: python example.py HOST:PORT, with a key in
DREAMNET_KEY. Prints a line of JSON for each step, and the title of each dream that is created."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

from dreamnet_client import Client, CreateDreamInput, DreamsDreamsNodes
from dreamnet_client.exceptions import GraphQLClientError
from websockets.exceptions import WebSocketException


def connect(host: str, key: str) -> Client:
    authorization = {"authorization": f"Bearer {key}"}
    return Client(
        url=f"http://{host}/graphql",
        headers=authorization,
        ws_url=f"ws://{host}/graphql",
        ws_connection_init_payload=authorization,
    )


async def all_dreams(client: Client) -> AsyncIterator[DreamsDreamsNodes]:
    """Yield all dreams, page by page."""
    after: str | None = None
    while True:
        page = (await client.dreams(after=after)).dreams
        for dream in page.nodes:
            yield dream
        if not page.page_info.has_next_page:
            return
        after = page.page_info.end_cursor


async def create(client: Client, title: str) -> str | dict[str, str]:
    """Create a dream; return its ID, or messages by the path of their field."""
    payload = (await client.create_dream(CreateDreamInput(title=title))).create_dream
    if payload.dream:
        return payload.dream.id
    return {".".join(error.field or []): error.message for error in payload.errors}


async def new_dreams(client: Client) -> AsyncIterator[str]:
    """Yield the title of each new dream, also after interruptions."""
    after: str | None = None
    while True:
        try:
            async for update in client.new_dreams(after=after):
                if after is None:
                    print(json.dumps("following"), flush=True)
                after = update.dreams.cursor
                for dream in update.dreams.dreams:
                    yield dream.title
        except (GraphQLClientError, WebSocketException, OSError):
            pass  # the gateway is down, or the connection broke
        await asyncio.sleep(0.5)


async def main(host: str) -> None:
    async with connect(host, os.environ["DREAMNET_KEY"]) as client:
        listed = [dream.title async for dream in all_dreams(client)]
        model = (await client.model("openai", "gpt-5")).ai_model
        prices = [model.max_tokens, str(model.cost_per_1_k_tokens)] if model else None
        refused, made = await create(client, ""), await create(client, "made")
        for step in (listed, prices, refused, made):
            print(json.dumps(step), flush=True)
        async for title in new_dreams(client):
            print(json.dumps(title), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
