"""Entry point and composition root of the API process: ``python -m api.app``."""

from __future__ import annotations

import gc
import os
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from litestar import Litestar, Router, get
from litestar.config.compression import CompressionConfig
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.response import File
from litestar.static_files import create_static_files_router

from activities.contracts.version import VERSION
from activities.settings import Settings, listed, load
from activities.telemetry import logs, tracing
from api.audit.log.holds import HoldController
from api.audit.log.routes import AuditLogController, QuestionProofController
from api.audit.routes import AuditController
from api.audit.runs.routes import AuditRunController, AuditViewController
from api.batches.routes import BatchController, BatchesOfKnowledgeBase
from api.browser.routes import BrowserController
from api.codec.browsers import CookieAsKey, allow_ui
from api.codec.routes import CodecController
from api.conversations.routes import ConversationController, ConversationsController
from api.dependencies import PROVIDERS, open_services
from api.dify.routes import DifyController
from api.documents.bulk import BulkChangeController, BulkChangesOfKnowledgeBase
from api.documents.formats import FormatController
from api.documents.routes import DocumentController, DocumentsOfKnowledgeBase, document_socket
from api.http.access import OPTION, PUBLIC, authorize
from api.http.auth import OPEN_PATHS, ApiKeyAuthentication
from api.http.bodies import JSON_MAX_BODY_BYTES, NulGuard, check_request
from api.http.connections import MAX_MESSAGE_BYTES, BoundedProtocol, CountedSocket
from api.http.described import DESCRIPTION, ErrorsOfRoutes, Reference, StrictBodies
from api.http.headers import Edge, cors
from api.http.measured import Measured
from api.http.problems import EXCEPTION_HANDLERS
from api.http.queries import KnownParameters
from api.http.rates import KeyRate, RefusalRate
from api.http.recording.edge import Recording, recordable
from api.http.revocation import RevokedAccess
from api.identity.grants import GrantsController
from api.identity.groups import GroupsController
from api.identity.keys import KeysController
from api.identity.routes import AuthController, IdentityController
from api.identity.users import UsersController
from api.knowledge_bases.embedding import EmbeddingModelController
from api.knowledge_bases.routes import KnowledgeBaseController
from api.lookup.routes import LookupController
from api.maintenance.health import HealthController
from api.maintenance.language_model import LanguageModelController
from api.maintenance.reconcile import ReconcileController
from api.mcp.routes import McpController
from api.oidc.routes import MethodsController, OidcController
from api.openai.routes import OpenAIController
from api.operations.metrics import Metrics
from api.operations.routes import OperationsController
from api.questions.routes import QuestionController, SearchController
from api.reindex_all.routes import ReindexAllController
from api.reindexes.routes import ReindexController, ReindexesOfKnowledgeBase
from api.schedules.routes import (
    ReconcileScheduleController,
    RetentionPreviewController,
    ScheduleController,
    SchedulesController,
)
from api.sources.routes import SourceController, SourcesOfKnowledgeBase, SyncController
from api.webhooks.routes import DeliveryController, WebhookController, WebhooksController

WEB = Path(__file__).parent / "web"

#: Options of uvicorn. Its information of each WebSocket has the query, in which careless clients send their key.
SERVER_OPTIONS: dict[str, Any] = {
    "log_config": None,
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "http": BoundedProtocol,
    "ws": CountedSocket,
    "ws_max_size": MAX_MESSAGE_BYTES,
    "timeout_graceful_shutdown": 5,
}

log = structlog.get_logger()


@get("/", access=PUBLIC, include_in_schema=False)
async def page() -> File:
    """The web page."""
    return File(
        WEB / "index.html",
        media_type="text/html",
        content_disposition_type="inline",
        headers={"Cache-Control": "no-cache"},
    )


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Holdfast",
        version=VERSION,
        description=DESCRIPTION,
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, opt={OPTION: PUBLIC}),
        security=[{"key": []}],
        components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
        render_plugins=[Reference(path="/")],
    )


#: What answers requests, beside the page and the uploads, whose bodies are larger.
CONTROLLERS = (
    Metrics,
    HealthController,
    FormatController,
    KnowledgeBaseController,
    EmbeddingModelController,
    LanguageModelController,
    BulkChangesOfKnowledgeBase,
    BulkChangeController,
    DocumentController,
    document_socket,
    BatchesOfKnowledgeBase,
    BatchController,
    ReindexesOfKnowledgeBase,
    ReindexController,
    SchedulesController,
    ReconcileScheduleController,
    ScheduleController,
    RetentionPreviewController,
    SourcesOfKnowledgeBase,
    SourceController,
    SyncController,
    ReindexAllController,
    SearchController,
    QuestionController,
    ConversationsController,
    ConversationController,
    WebhooksController,
    WebhookController,
    DeliveryController,
    AuditController,
    AuditLogController,
    QuestionProofController,
    HoldController,
    AuditRunController,
    AuditViewController,
    CodecController,
    ReconcileController,
    LookupController,
    IdentityController,
    AuthController,
    BrowserController,
    MethodsController,
    OidcController,
    UsersController,
    GroupsController,
    KeysController,
    GrantsController,
    OpenAIController,
    DifyController,
    McpController,
    OperationsController,
)


def create_app(settings: Settings) -> Litestar:
    """The application; its services open when it starts."""
    app = Litestar(
        route_handlers=[
            page,
            create_static_files_router("/web", directories=[WEB], include_in_schema=False, opt={OPTION: PUBLIC}),
            create_static_files_router(
                "/schema-assets",
                directories=[str(files("swagger_ui") / "static")],
                include_in_schema=False,
                opt={OPTION: PUBLIC},
            ),
            *CONTROLLERS,
            Router("/", route_handlers=[DocumentsOfKnowledgeBase], request_max_body_size=settings.api.max_upload_bytes),
        ],
        dependencies=PROVIDERS,
        guards=[authorize, recordable],
        exception_handlers=EXCEPTION_HANDLERS,
        before_request=check_request,
        before_send=[allow_ui],
        middleware=[
            NulGuard(),
            RefusalRate(settings.api.refusals_per_minute),
            CookieAsKey(),
            DefineMiddleware(ApiKeyAuthentication, exclude=OPEN_PATHS),
            KeyRate(settings.api.requests_per_minute),
            RevokedAccess(),
        ],
        lifespan=[open_services],
        logging_config=None,  # set up by activities.telemetry.logs
        openapi_config=_openapi(),
        plugins=[ErrorsOfRoutes(), StrictBodies(), KnownParameters()],
        cors_config=cors(settings),
        request_max_body_size=JSON_MAX_BODY_BYTES,
        compression_config=CompressionConfig(
            backend="gzip", exclude=[r"/events$", r"/content$", r"^/v1/chat/", r"^/mcp"]
        ),
    )
    app.state.settings = settings
    app.asgi_handler = Measured(Edge(Recording(app.asgi_handler, settings.audit.reads), settings))
    return app


def server_options(settings: Settings) -> dict[str, Any]:
    """Options of uvicorn under these settings."""
    trusted = listed(settings.api.trusted_proxies)
    return SERVER_OPTIONS | {
        "http": partial(BoundedProtocol, connections_per_address=settings.api.connections_per_address),
        "proxy_headers": bool(trusted),
        "forwarded_allow_ips": trusted,
    }


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    os.umask(0o077)  # stored documents and temporary files are this user's alone
    settings = load()
    logs.configure(settings.log, "api")
    tracing.configure(settings.tracing, "api")
    app = create_app(settings)
    gc.collect()
    gc.freeze()  # keeps long-lived objects out of GC: full collections stalled requests for 130 ms
    log.info("serving", url=settings.api_url)
    uvicorn.run(app, host=settings.api.host, port=settings.api.port, **server_options(settings))


if __name__ == "__main__":
    main()
