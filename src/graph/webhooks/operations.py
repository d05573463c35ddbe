"""Operations: queries of webhooks and deliveries, and mutations that change webhooks."""

import strawberry

import db
from db import WriteSession
from db.webhooks import writes
from db.webhooks.secrets import secret
from graph.alerts.types import READ, WRITE
from graph.api_keys import codec
from graph.core.context import Info, as_source
from graph.core.types.connection import Connection, listed
from graph.core.types.field import field, value
from graph.core.types.mutation import (
    Input,
    create_idempotently,
    locked_row,
    mutation,
    provided_fields,
)
from graph.core.types.unset import or_none
from graph.webhooks.inputs import (
    CreateWebhookInput,
    DeleteWebhookInput,
    RotateWebhookSecretInput,
    UpdateWebhookInput,
)
from graph.webhooks.types import Webhook, WebhookDelivery

# Results


@value
class WebhookWithSecret:
    """A webhook with its secret."""

    webhook: Webhook | None = field("The webhook.", default=None)
    secret: str | None = field(
        "The secret that messages are signed with: `whsec_` and 32 bytes as Base64. It is shown "
        "only once.",
        default=None,
    )


@value
class WebhookDeleted:
    """A webhook was deleted, with its messages."""

    deleted_webhook_id: strawberry.ID | None = field("ID of the deleted webhook.", default=None)


def _with_secret(info: Info, webhook: db.webhooks.Webhook) -> WebhookWithSecret:
    return WebhookWithSecret(webhook=as_source(webhook), secret=secret(codec(info).pepper, webhook))


# Operations


@strawberry.type
class Queries:
    webhooks: Connection[Webhook] = listed(db.webhooks.WEBHOOKS, "Webhooks, newest first.", READ)
    webhook_deliveries: Connection[WebhookDelivery] = listed(
        db.webhooks.DELIVERIES, "Messages to webhooks, newest first.", READ
    )


@strawberry.type
class Mutations:
    @mutation(
        "Create a webhook. The response has its secret, which is not shown again.",
        WRITE,
        WebhookWithSecret,
    )
    async def create_webhook(
        self, info: Info, input: Input[CreateWebhookInput]
    ) -> WebhookWithSecret:
        codec(info)  # before anything is stored

        async def create(session: WriteSession) -> db.webhooks.Webhook:
            return await writes.create(session, **provided_fields(input))

        made = await create_idempotently(info, db.webhooks.Webhook, input, create)
        return _with_secret(info, made)

    @mutation("Change a webhook.", WRITE, Webhook)
    async def update_webhook(
        self, info: Info, input: Input[UpdateWebhookInput]
    ) -> db.webhooks.Webhook:
        version = or_none(input.expected_version)
        async with locked_row(info, db.webhooks.Webhook, input.id, version) as (session, webhook):
            return await db.audit.change(
                session, db.webhooks.Webhook, webhook, **provided_fields(input)
            )

    @mutation(
        "Give a webhook a new secret, which is not shown again. For 24 hours messages are also "
        "signed with the previous one.",
        WRITE,
        WebhookWithSecret,
    )
    async def rotate_webhook_secret(
        self, info: Info, input: Input[RotateWebhookSecretInput]
    ) -> WebhookWithSecret:
        codec(info)  # before anything is stored
        version = or_none(input.expected_version)
        async with locked_row(info, db.webhooks.Webhook, input.id, version) as (session, webhook):
            rotated = await writes.rotate(session, webhook)
        return _with_secret(info, rotated)

    @mutation("Delete a webhook, with its messages. Its rules are kept.", WRITE, WebhookDeleted)
    async def delete_webhook(self, info: Info, input: Input[DeleteWebhookInput]) -> WebhookDeleted:
        version = or_none(input.expected_version)
        async with locked_row(info, db.webhooks.Webhook, input.id, version) as (session, webhook):
            await db.audit.remove(session, db.webhooks.Webhook, webhook)
        return WebhookDeleted(deleted_webhook_id=input.id)
