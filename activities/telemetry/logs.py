"""Structured logs: one line per event, with the request and the trace that it belongs to.

Lines of an activity carry its run, step, attempt and subject.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger
from temporalio import activity

from activities.settings import LogSettings
from activities.telemetry import tracing
from activities.telemetry.exceptions import Exceptions

#: Fields of a step's input that its log lines and its span have; lines also have the ``actor``, who is a person.
SUBJECTS = ("document_id", "version", "knowledge_base_id", "batch_id", "question_id", "reindex_id", "sync_id")

#: Fields whose values are redacted in every log line.
SECRETS = frozenset({"authorization", "api_key", "key", "token", "password", "secret"})


def configure(settings: LogSettings, process: str) -> None:
    """Configures logging of a process: structlog and standard library loggers write the same format to stderr."""

    def of_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("process", process)  # also in threads, which inherit no context
        return event

    exceptions = Exceptions(messages=settings.level == "debug")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        of_process,
        _activity_context,
        _trace,
        _redact,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(exceptions)
        if settings.format == "json"
        else structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=exceptions.console)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)
    for noisy in ("httpx", "uvicorn.access", "aiosqlite", "alembic", "mcp", "sse_starlette"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("temporalio.activity").setLevel(logging.CRITICAL)  # the interceptor logs these errors
    _log_what_is_uncaught()


def _log_what_is_uncaught() -> None:
    """Errors that end the process or a thread, and warnings of Python, are lines of the log like others."""
    log = structlog.get_logger()

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        log.critical("uncaught error", exc_info=(kind, error, trace))

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            thread = args.thread.name if args.thread is not None else ""
            log.error("uncaught error", thread=thread, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    sys.excepthook, threading.excepthook = uncaught, uncaught_in_thread
    logging.captureWarnings(True)


def describe(input: object) -> dict[str, str | int]:
    """Adds what a step works on to the lines that it logs: the actor, and the ids that its input has, which it returns.

    Nothing else of the input is in them.
    """
    subject = getattr(input, "begins", None) or input  # a step that begins a run works on the run's version
    found = {name: value for name in SUBJECTS if isinstance(value := getattr(subject, name, None), str | int)}
    person = {"actor": actor} if isinstance(actor := getattr(subject, "actor", None), str) else {}
    structlog.contextvars.bind_contextvars(**found, **person)
    return found


def _activity_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if activity.in_activity():
        info = activity.info()
        event.setdefault("workflow_id", info.workflow_id)
        event.setdefault("run_id", info.workflow_run_id)
        event.setdefault("step", info.activity_type)
        event.setdefault("attempt", info.attempt)
    return event


def _trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if (found := tracing.ids()) is not None:
        event["trace_id"], event["span_id"] = found
    return event


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for field in SECRETS & event.keys():
        event[field] = "…"
    return event
