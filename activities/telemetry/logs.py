"""Structured logs: one line per event; lines of an activity carry its workflow id, activity type and attempt."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger
from temporalio import activity

from activities.settings import LogSettings
from activities.telemetry.exceptions import Exceptions

#: Fields whose values are redacted in every log line.
SECRETS = frozenset({"authorization", "api_key", "key", "token", "password", "secret"})


def configure(settings: LogSettings, process: str) -> None:
    """Configures logging of a process: structlog and standard library loggers write the same format to stderr."""
    exceptions = Exceptions(messages=settings.level == "debug")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _activity_context,
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
    for noisy in ("httpx", "uvicorn.access", "aiosqlite", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for duplicate in ("pymilvus", "temporalio.activity"):  # the store clients and the interceptor log these errors
        logging.getLogger(duplicate).setLevel(logging.CRITICAL)
    structlog.contextvars.bind_contextvars(process=process)


def _activity_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if activity.in_activity():
        info = activity.info()
        event.setdefault("workflow_id", info.workflow_id)
        event.setdefault("step", info.activity_type)
        event.setdefault("attempt", info.attempt)
    return event


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for field in SECRETS & event.keys():
        event[field] = "…"
    return event
