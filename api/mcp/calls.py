"""Calls of tools over HTTP: checked, done for the caller of their request, and recorded before they are answered."""

from __future__ import annotations

from http import HTTPStatus
from itertools import count
from typing import Final

import msgspec
import structlog
from litestar.types import Scope
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolRequestParams, CallToolResult, TextContent

from activities.errors import HoldfastError, InvalidRequest, Language
from activities.phrases import Phrase
from activities.stores.catalog.records import KnowledgeBase
from activities.telemetry import origin
from activities.text.scripts import reply_language
from activities.validation import explain
from api.http.access import REFUSED
from api.http.problems import CODE, status_of
from api.http.recording.edge import record
from api.http.recording.routes import RECORDED, Row
from api.http.recording.routes import TOOLS as ROWS
from api.mcp.definitions import TOOLS, arguments_of
from api.mcp.protocol import Context, failed
from api.mcp.schemas import Arguments, AskArguments, AskResult, FetchArguments, ListArguments, Result, SearchArguments
from api.mcp.tools import Caller, Tools
from api.questions.source_list import ListedSource, answer_text, source_list

log = structlog.get_logger()

#: The language of what no text of the caller's tells that of.
ENGLISH: Final[Language] = "en"


class Calls:
    """Does the calls of one API process."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._recorded = RECORDED[tools.settings.audit.reads]

    async def call(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        """The result, or a sentence that says why there is none. Raises MCPError for a tool that does not exist."""
        if params.name not in TOOLS:
            reason = InvalidRequest(detail=Phrase.NO_TOOL, names=", ".join(TOOLS)).reason
            raise MCPError(code=INVALID_PARAMS, message=reason.render(ENGLISH))
        assert context.request is not None  # noqa: S101 - it came over HTTP
        scope: Scope = context.request.scope
        steps = count(1)

        async def report(text: str) -> None:
            await context.session.report_progress(next(steps), message=text)

        language = _language_of(params.arguments)
        try:
            given = _checked(params, language)
            result = await self._done(Caller(scope["user"], scope, report), given, ROWS[params.name])
        except HoldfastError as exc:
            return failed(exc.reason.render(language))
        except Exception as exc:
            log.error("a tool failed", tool=params.name, exc_info=exc)
            raise MCPError(code=INTERNAL_ERROR, message=HoldfastError().reason.render(language)) from exc
        return self._shown(result, language)

    async def _done(self, caller: Caller, given: Arguments, row: Row) -> Result:
        """The result of a call, recorded; where that fails, NotRecorded is raised instead."""
        state = caller.scope["state"]
        state[REFUSED] = True
        try:
            match given:
                case SearchArguments():
                    among = await self._tools.searched(caller, given.knowledge_bases)
                    state[REFUSED] = False
                    found = await self._tools.search(caller, given, among)
                    for knowledge_base in among:
                        self._note(caller.scope, knowledge_base)
                        await self._record(caller.scope, row, HTTPStatus.OK)
                    return found
                case AskArguments():
                    knowledge_base = await self._tools.asked(caller, given)
                    state[REFUSED] = False
                    self._note(caller.scope, knowledge_base)
                    result: Result = await self._tools.ask(caller, given, knowledge_base)
                case FetchArguments():
                    result = await self._tools.fetch(caller, given)
                case ListArguments():
                    result = await self._tools.list_knowledge_bases(caller, given)
        except HoldfastError as exc:
            state[CODE] = exc.reason.code
            await self._record(caller.scope, row, status_of(exc))
            raise
        await self._record(caller.scope, row, HTTPStatus.OK)
        return result

    async def _record(self, scope: Scope, row: Row, status: HTTPStatus) -> None:
        await record(scope, row, status, origin.current().request_id or "", self._recorded)

    def _note(self, scope: Scope, knowledge_base: KnowledgeBase) -> None:
        self._tools.access.note(scope, knowledge_base)

    def _shown(self, result: Result, language: Language) -> CallToolResult:
        """The result as text and in its structure; an answer's text has its sources at the end."""
        text = msgspec.json.encode(result).decode()
        if isinstance(result, AskResult):
            sources = [ListedSource(each.n, each.title, each.page, each.url) for each in result.sources]
            text = answer_text(result.answer)
            text += source_list(text, sources, language)
        return CallToolResult(content=[TextContent(text=text)], structured_content=msgspec.to_builtins(result))


def _checked(params: CallToolRequestParams, language: Language) -> Arguments:
    """The arguments of a call. Raises InvalidRequest."""
    try:
        return arguments_of(params.name, params.arguments)
    except msgspec.ValidationError as exc:
        raise InvalidRequest(detail=explain(str(exc)).render(language)) from exc


def _language_of(arguments: dict[str, object] | None) -> Language:
    text = (arguments or {}).get("question") or (arguments or {}).get("query")
    return reply_language(text) if isinstance(text, str) else ENGLISH
