"""`holdfast mcp`: the tools of the Model Context Protocol over stdin and stdout, for programs that start it."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.output import UNAUTHORIZED, Output, talks_to_api
from api.cli.texts.messages import say, text_of
from api.client.problems import Problem

if TYPE_CHECKING:
    from mcp_types import CallToolRequestParams, CallToolResult

    from api.client.client import Api
    from api.mcp.protocol import Context


@click.command("mcp", help=say("help.mcp"))
@talks_to_api
async def mcp(api: Api, out: Output) -> None:
    """Serve until stdin ends. Each call is one request to the API, which checks and records it."""
    from mcp.server.stdio import stdio_server

    from api.mcp.protocol import server_of

    async def call(context: Context, params: CallToolRequestParams) -> CallToolResult:
        return await _call(api, context, params)

    server = server_of(call)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _call(api: Api, context: Context, params: CallToolRequestParams) -> CallToolResult:
    """What the API answers, or a sentence that says why it does not."""
    from mcp.shared.exceptions import MCPError
    from mcp_types import CallToolResult

    from api.client.client import ApiError
    from api.client.mcp import RpcFailed
    from api.mcp.protocol import failed

    async def report(progress: float, text: str) -> None:
        await context.session.report_progress(progress, message=text)

    try:
        return CallToolResult.model_validate(await api.mcp.call(params.name, params.arguments or {}, report))
    except RpcFailed as exc:
        raise MCPError(code=exc.code, message=str(exc)) from exc
    except ApiError as exc:
        return failed(f"{exc} {say('login.hint')}" if exc.status == UNAUTHORIZED else str(exc))
    except Problem as exc:
        return failed(text_of(exc))
