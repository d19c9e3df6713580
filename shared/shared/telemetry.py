"""Logs as JSON lines without secrets, and traces that follow a cause through every service by `traceparent`."""

import logging
import os
import re
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer

from shared.errors import Configuration

SECRET_NAMES = re.compile(
    r"(?i)pass(word|wd)?$|secret|token|authorization|private|access_key|adminpass|user_data|credential|cookie|dsn$|_url$"
)
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f\u2028-\u202e\u2066-\u2069]")
_USERINFO = re.compile(r"//[^/@\s]+@")
REDACTED = "[redacted]"


def cleaned(value: Any) -> Any:
    """`value` without what looks like a secret and without characters that could forge a line."""
    if isinstance(value, str):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _USERINFO.sub("//[redacted]@", value))
    if isinstance(value, dict):
        return {key: REDACTED if SECRET_NAMES.search(str(key)) else cleaned(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(inner) for inner in value]
    return value


def _clean_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: REDACTED if SECRET_NAMES.search(key) else cleaned(value) for key, value in event.items()}


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
    return event


def configure_logging(service: str, replica: str, level: str) -> None:
    """One JSON object a line on standard error; libraries' warnings too."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.format_exc_info,
        _clean_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.ERROR, force=True)
    structlog.contextvars.bind_contextvars(service=service, replica=replica)


def logger() -> structlog.typing.FilteringBoundLogger:
    """The log: an event name, then values by name."""
    made: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return made


class _JsonLines(SpanExporter):
    """Appends each finished span as one line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()


def configure_tracing(service: str, replica: str, traces_path: Path | None) -> TracerProvider:
    """Spans to a file of JSON lines, and to a collector when OTEL_EXPORTER_OTLP_ENDPOINT names one."""
    is_exported = traces_path is not None or bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    provider = TracerProvider(
        sampler=ALWAYS_ON if is_exported else ALWAYS_OFF,  # unexported, a span is only the ids that events carry
        resource=Resource.create({"service.name": f"tresor-{service}", "service.instance.id": replica}),
    )
    if traces_path is not None:
        provider.add_span_processor(BatchSpanProcessor(_JsonLines(traces_path), schedule_delay_millis=500))
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise Configuration(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set; install tresor-shared[otlp], or unset it"
            ) from None
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def _remote(traceparent: str | None) -> Any:
    if not traceparent:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return trace.set_span_in_context(NonRecordingSpan(context))


@lru_cache(maxsize=1)
def _tracer(provider: trace.TracerProvider) -> Tracer:
    """Asking a provider each time costs more than the span."""
    return provider.get_tracer("tresor")


@contextmanager
def span(
    name: str, traceparent: str | None = None, kind: SpanKind = SpanKind.INTERNAL, **attributes: str
) -> Iterator[Span]:
    """A span named by the message's type (never by an id), below `traceparent` or the current span."""
    with _tracer(trace.get_tracer_provider()).start_as_current_span(
        name, context=_remote(traceparent), kind=kind, attributes=attributes
    ) as current:
        yield current


@contextmanager
def below(traceparent: str | None) -> Iterator[None]:
    """What is told here follows from `traceparent`; no span is made of it."""
    context = _remote(traceparent)
    if context is None:
        yield
        return
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


def traceparent() -> str | None:
    """The current span in the W3C form, to be carried by whatever follows from it."""
    context = trace.get_current_span().get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}" if context.is_valid else None
