"""The server of the protocol, whatever carries it: it lists the tools and has their calls done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent

from api.mcp.definitions import INSTRUCTIONS, NAME, TITLE, input_schema, tools

Context = ServerRequestContext[Any, Any]
OnCall = Callable[[Context, CallToolRequestParams], Awaitable[CallToolResult]]


def server_of(on_call: OnCall) -> Server[Any]:
    """A server of the tools, whose calls go to ``on_call``."""

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools())

    server: Server[Any] = Server(
        NAME,
        version=version("holdfast"),
        title=TITLE,
        instructions=INSTRUCTIONS,
        get_tool_input_schema=input_schema,
        on_list_tools=list_tools,
        on_call_tool=on_call,
    )
    server.middleware.clear()  # its spans would hold texts of errors; requests are traced as all others are
    return server


def failed(sentence: str) -> CallToolResult:
    """What came of a call that failed: a sentence that says what to do, which an assistant reads."""
    return CallToolResult(content=[TextContent(text=sentence)], is_error=True)
