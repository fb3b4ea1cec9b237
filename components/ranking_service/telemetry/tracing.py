"""OpenTelemetry spans, one a request with its stages below, when somebody asks for them.

A span is made of the times that a request's context holds anyway, once the request is answered. So tracing costs
nothing while it is off, and no part of the service passes spans to another. The standard OTEL_ variables hold: sampling
(OTEL_TRACES_SAMPLER), names (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES), batches (OTEL_BSP_…), the collector's
address (OTEL_EXPORTER_OTLP_…).
"""

import sys
import time
from pathlib import Path

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from components.ranking_service.settings import CONSOLE, OTLP
from components.ranking_service.telemetry.request_context import RequestContext

TRACE_HEADERS = (b"traceparent", b"tracestate")
FIRST_SERVER_ERROR = 500
NAMELESS = "unknown_service"  # what the SDK calls a service that no variable names


class Tracing:
    """Turns requests into spans; a thread of the SDK exports them."""

    def __init__(self, exporter: SpanExporter) -> None:
        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME, NAMELESS)).startswith(NAMELESS):
            resource = resource.merge(Resource({SERVICE_NAME: "rankloop"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("rankloop")
        self._propagator = TraceContextTextMapPropagator()

    def trace(self, scope: Scope, context: RequestContext) -> None:
        """Make the spans of one request, below the caller's where a ``traceparent`` header names it."""
        to_wall = time.time_ns() - time.perf_counter_ns()
        method = scope["method"]
        span = self._tracer.start_span(
            f"{method} {context.route}",
            self._parent(scope),
            SpanKind.SERVER,
            _attributes(method, context),
            start_time=context.began_ns + to_wall,
        )
        below = set_span_in_context(span, Context())
        for stage, began, ended in context.stopwatch.laps:
            self._tracer.start_span(stage, below, start_time=began + to_wall).end(ended + to_wall)
        if context.status >= FIRST_SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        span.end(context.ended_ns + to_wall)

    def stop(self) -> None:
        """Export what is left."""
        self._provider.shutdown()

    def _parent(self, scope: Scope) -> Context:
        given = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in TRACE_HEADERS}
        return self._propagator.extract(given, Context())


class FileSpanExporter(ConsoleSpanExporter):
    """Appends spans to a file, one JSON document a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        super().__init__(out=self._file, formatter=_line)

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


def tracing_to(target: str | None) -> Tracing | None:
    """Send spans to ``console`` (standard error), ``otlp`` (a collector) or a file's path; None: make none."""
    return Tracing(_exporter(target)) if target else None


def _exporter(target: str) -> SpanExporter:
    if target == CONSOLE:
        return ConsoleSpanExporter(out=sys.stderr, formatter=_line)
    if target == OTLP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter: SpanExporter = OTLPSpanExporter()
        return exporter
    return FileSpanExporter(Path(target))


def _attributes(method: str, context: RequestContext) -> dict[str, str | int]:
    attributes: dict[str, str | int | None] = {
        "http.request.method": method,
        "http.route": context.route,
        "http.response.status_code": int(context.status),
        "rankloop.request_id": context.request_id,
        "rankloop.arm": context.arm,
        "rankloop.bundle": context.bundle,
        "rankloop.fallback": context.fallback,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _line(span: ReadableSpan) -> str:
    return span.to_json(indent=None) + "\n"
