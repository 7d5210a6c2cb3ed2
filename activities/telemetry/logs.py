"""Structured logs: one line an event, with the run and the actor bound to every line of an activity."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, WrappedLogger
from temporalio import activity

from activities.settings import LogSettings

#: Fields that never reach a log, whoever logs them.
SECRETS = frozenset({"authorization", "api_key", "key", "token", "password", "secret"})


def configure(settings: LogSettings, process: str) -> None:
    """Set up logging for a process: structlog and the standard library's loggers write the same lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _activity_context,
        _redact,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Never the values of variables: they are documents, keys and settings.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        if settings.format == "json"
        else structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
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
    for twice in ("pymilvus", "temporalio.activity"):  # what they report, our own errors and edges report
        logging.getLogger(twice).setLevel(logging.CRITICAL)
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
