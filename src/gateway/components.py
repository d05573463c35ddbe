"""Components: the parts of a gateway, each constructed once, from the settings and other parts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from db import Database
from db.core.ingest.writer import Ingestion
from db.core.schema.health import Probe
from db.core.session.replicas import Replicas
from db.notifications import mail
from db.webhooks import outbox
from gateway.auth.authenticator import Auth
from gateway.auth.clients import ClientAccounts
from gateway.auth.pepper import api_key_codec
from gateway.document_manifest import read_manifest
from gateway.health import Health
from gateway.media.store import Media
from gateway.middleware.forwarded import TrustedProxies
from gateway.middleware.recorder import Recorder
from gateway.middleware.request_events import RequestEvents
from gateway.monitoring.metrics import Sources
from gateway.outboxes import Deliverer, Outbox
from gateway.protocols.idle_connections import IdleConnections
from gateway.protocols.short_path import Heads
from gateway.protocols.waiting_room import WaitingRoom
from gateway.settings import Settings
from gateway.settings.mail_server import MailServer
from gateway.transport.admission import Admission
from gateway.transport.connections import OpenStreams
from gateway.transport.documents import Documents, RegisteredDocuments, TrustedDocuments
from gateway.transport.executor import Executor
from gateway.transport.exports import Exports
from gateway.transport.host_counts import Column
from gateway.transport.http import Endpoint
from gateway.transport.memory_shares import Rooms
from gateway.transport.request_head import Head
from gateway.transport.responder import Additions
from gateway.transport.short_path import ShortPath
from gateway.transport.websocket import WebSockets
from graph.core.execution.answers import Answers
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.schema import federated_schema, schema

if TYPE_CHECKING:
    from gateway.tracing.spans import Tracing

RESULTS = 16  # of the largest responses in memory at once


@dataclass(frozen=True)
class Components:
    """Limits of streams hold for all workers of the `host`."""

    settings: Settings
    database: Database
    auth: Auth
    clock: Callable[[], float]
    host: Column | None = None

    @cached_property
    def ingestion(self) -> Ingestion:
        return Ingestion(self.database)

    @cached_property
    def broker(self) -> SubscriptionBroker:
        return SubscriptionBroker(self.database)

    @cached_property
    def media(self) -> Media:
        return Media(self.settings)

    @cached_property
    def replicas(self) -> Replicas | None:
        infos = [
            each.behind(self.database.url.pooler) for each in self.settings.replica_connections
        ]
        standbys = [self.database.replica(info) for info in infos]
        seconds = self.settings.replica_max_late_seconds
        return Replicas(self.database, standbys, seconds) if standbys else None

    @cached_property
    def tracing(self) -> "Tracing | None":
        if self.settings.otlp_endpoint is None:
            return None
        from gateway.tracing.spans import Tracing

        return Tracing(self.settings.otlp_endpoint)

    @cached_property
    def recorder(self) -> Recorder:
        return Recorder(
            RequestEvents(self.ingestion, self.settings.recorded_share),
            self.clock,
            records_starts=self.settings.request_start == "on",
            tracing=self.tracing,
        )

    @cached_property
    def proxies(self) -> TrustedProxies:
        return TrustedProxies(self.settings.proxies)

    @cached_property
    def connections(self) -> IdleConnections:
        return IdleConnections(self.settings)

    @cached_property
    def streams(self) -> OpenStreams:
        settings = self.settings
        return OpenStreams(
            settings.max_streams,
            settings.max_streams_per_caller,
            settings.max_streams_per_network,
            WaitingRoom(
                settings.max_unidentified_sockets, settings.max_unidentified_sockets_per_network
            ),
            self.host,
        )

    @cached_property
    def accounts(self) -> ClientAccounts:
        return ClientAccounts(
            self.auth.budget,
            signed_in=self.settings.budget_points_per_minute,
            anonymous=self.settings.budget_points_per_minute_anonymous,
        )

    @cached_property
    def documents(self) -> Documents:
        path = self.settings.trusted_documents
        return TrustedDocuments(read_manifest(path)) if path else RegisteredDocuments()

    @cached_property
    def answers(self) -> Answers | None:
        most = self.settings.response_cache_bytes
        return Answers(self.database, most) if most else None

    @cached_property
    def executor(self) -> Executor:
        return Executor(
            schema=federated_schema() if self.settings.federation == "on" else schema,
            database=self.database,
            ingestion=self.ingestion,
            broker=self.broker,
            auth=self.auth,
            max_document_bytes=self.settings.max_document_bytes,
            limits=self.settings.operation_limits,
            accounts=self.accounts,
            recorder=self.recorder,
            rooms=Rooms(RESULTS * self.settings.max_response_bytes),
            documents=self.documents,
            media=self.media,
            replicas=self.replicas,
            answers=self.answers,
        )

    @cached_property
    def admission(self) -> Admission:
        return Admission(self.settings.max_body_bytes, self.executor.turns)

    @cached_property
    def endpoint(self) -> Endpoint:
        return Endpoint(
            self.executor,
            self.settings.max_body_bytes,
            self.streams,
            self.admission,
            self.settings.origins,
            has_graphiql=self.settings.console == "on",
        )

    @cached_property
    def web_sockets(self) -> WebSockets:
        return WebSockets(self.executor, self.streams, self.settings.origins)

    @cached_property
    def exports(self) -> Exports:
        return Exports(self.executor, self.streams, self.settings.export_max_seconds)

    @cached_property
    def short_path(self) -> Heads[Head]:
        settings = self.settings
        return Heads(
            ShortPath(
                self.executor,
                self.recorder,
                self.proxies,
                prefix=settings.root_path or "",
                is_local_only=settings.development,
                additions=Additions(settings.origins, settings.compression == "on"),
            )
        )

    @cached_property
    def health(self) -> Health:
        return Health(Probe(self.database), self.broker.feeds, self.streams, self.replicas)

    @cached_property
    def sources(self) -> Sources:
        return Sources(
            self.recorder,
            self.database,
            self.broker.feeds,
            self.streams,
            self.ingestion,
            self.auth.budget,
            self.health,
            self.answers,
        )

    @cached_property
    def outboxes(self) -> list[Outbox]:
        hooks = self.database.borrowed_by("webhooks")
        found = [Outbox(hooks, outbox.QUEUE, partial(_deliverer, self.settings, hooks))]
        if (server := self.settings.mail_server) is not None:
            mails = self.database.borrowed_by("mail")
            found.append(Outbox(mails, mail.QUEUE, partial(_mailer, self.settings, mails, server)))
        return found


def _mailer(settings: Settings, database: Database, server: MailServer) -> Deliverer:
    from gateway.mail.delivery import Mailer

    is_encrypted = settings.smtp_tls == "on"
    return Mailer(database, server, settings.mail_from or "", is_encrypted=is_encrypted)


def _deliverer(settings: Settings, database: Database) -> Deliverer:
    from gateway.webhooks.addresses import Destinations
    from gateway.webhooks.delivery import Deliverer

    pepper = api_key_codec(settings).pepper
    return Deliverer(database, pepper, Destinations(settings.webhook_places))
