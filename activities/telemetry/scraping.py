"""Scraping: who may read metrics, and the port on which a worker shows its own."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from activities.errors import SettingsError, first_line
from activities.settings import PREFIX, MetricsSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: Seconds that a client may take to send its request.
REQUEST_SECONDS = 5


def is_scraper(settings: MetricsSettings, token: str) -> bool:
    """Whether this is the token of the settings; no token is right while they have none."""
    return bool(settings.token) and hmac.compare_digest(settings.token.encode(), token.encode())


@contextmanager
def serving(settings: MetricsSettings) -> Iterator[None]:
    """Serves the metrics of this process on its port, to whoever has the token; without a port or a token, nothing.

    In threads of its own: a process whose loop is stuck still shows what it counted. Raises SettingsError.
    """
    if not settings.are_served:
        yield
        return
    try:
        server = make_server(
            settings.host, settings.port, guarded(settings), server_class=ThreadingWSGIServer, handler_class=_Handler
        )
    except OSError as exc:
        key, value = f"{PREFIX}METRICS_PORT", f"{settings.host}:{settings.port}"
        raise SettingsError(key=key, value=value, problem=first_line(exc)) from exc
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def guarded(settings: MetricsSettings) -> Any:
    """A WSGI application with the metrics of this process; 401 without the token."""
    metrics = make_wsgi_app()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not is_scraper(settings, token.strip()):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")])
            return [b""]
        return metrics(environ, start_response)

    return app


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a scrape is no event."""
