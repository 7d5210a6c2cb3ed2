"""Tools of the Model Context Protocol, called over the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from api.client.resources import Resource

#: The version of the protocol that is spoken: a request carries all that it needs, and ends with its connection.
VERSION: Final = "2026-07-28"
_META: Final = "io.modelcontextprotocol/"

#: Told of progress: how far it is, and what is done now.
Report = Callable[[float, str], Awaitable[None]]


class RpcFailed(Exception):
    """The error of JSON-RPC that a message was answered with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Mcp(Resource):
    async def call(self, tool: str, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
        """The result of a tool, as the protocol has it; leaving before cancels the call. Raises RpcFailed too."""
        meta = {
            f"{_META}protocolVersion": VERSION,
            f"{_META}clientCapabilities": {},
            "progressToken": 1,
        }
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        async with aclosing(self._api.messages("/mcp", body, headers)) as messages:
            async for message in messages:
                if message.get("method") == "notifications/progress":
                    told = message["params"]
                    await report(told["progress"], told.get("message") or "")
                elif error := message.get("error"):
                    raise RpcFailed(error["code"], error["message"])
                elif "result" in message:
                    return dict(message["result"])
        raise RpcFailed(0, "the connection ended without an answer")
