"""Trace receiver: a collector of OpenTelemetry, of the test's own, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.process.listener import listening
from support.wait import until


class TraceReceiver:
    """Keeps the spans that arrive."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: list[Span] = []
        self.resource: dict[str, Any] = {}

    async def traces(self, request: Request) -> Response:
        sent = ExportTraceServiceRequest.FromString(await request.body())
        for resource in sent.resource_spans:
            self.resource = attributes_of(resource.resource)
            for scope in resource.scope_spans:
                self.spans += scope.spans
        answer = ExportTraceServiceResponse().SerializeToString()
        return Response(answer, media_type="application/x-protobuf")

    async def trace(self, trace_id: str, count: int) -> list[Span]:
        """The spans of a trace, when so many have arrived: parents before children."""

        def found() -> list[Span]:
            return [span for span in self.spans if span.trace_id.hex() == trace_id]

        await until(lambda: len(found()) >= count)
        return sorted(found(), key=lambda span: span.start_time_unix_nano)


def attributes_of(described: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in described.attributes}


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@asynccontextmanager
async def trace_receiver() -> AsyncIterator[TraceReceiver]:
    """A receiver that serves until the context ends."""
    with listening("127.0.0.1", 0) as listener:
        receiver = TraceReceiver(listener.getsockname()[1])
        app = Starlette(routes=[Route("/v1/traces", receiver.traces, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield receiver
        finally:
            server.should_exit = True
            await serving
