"""WebSockets whose clients only listen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from litestar.connection import WebSocket
from litestar.exceptions import WebSocketDisconnect


async def until_left(socket: WebSocket[Any, Any, Any], work: Coroutine[Any, Any, None]) -> None:
    """Do the work, which is canceled when the client leaves: also while there is nothing to send to it."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(socket))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(socket: WebSocket[Any, Any, Any]) -> None:
    try:
        while True:
            await socket.receive_data("text")
    except WebSocketDisconnect:
        return
