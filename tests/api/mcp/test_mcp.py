"""The Model Context Protocol, with the unmodified client of its Python SDK, over HTTP and over stdio."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import httpx
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from activities.stores.catalog.catalog import Catalog
from tests.api.http.test_second_user import signed_in
from tests.api.openai.test_openai import asked_of, cancel_requested
from tests.conftest import Platform, assert_eventually, ready

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
VISA = "外籍员工的签证费用由公司承担，每年最多报销一次。"
QUESTION = "How many days of unused leave can be carried over?"

#: How a client speaks: over what, and whether by an earlier version of the protocol.
Way = Literal["http", "http-legacy", "stdio"]


@asynccontextmanager
async def connected(platform: Platform, way: Way, key: str | None = None, **environ: str) -> AsyncIterator[Client]:
    """A client of the SDK, with a key."""
    key = platform.key if key is None else key
    if way == "stdio":
        kept = {name: value for name, value in platform.environ.items() if not name.startswith("HOLDFAST_")}
        named = {"HOLDFAST_URL": platform.url, "HOLDFAST_API_KEY": key, "PYTHONPATH": os.pathsep.join(sys.path)}
        arguments = ["-m", "api.cli", "mcp"]
        server = StdioServerParameters(command=sys.executable, args=arguments, env=kept | named | environ)
        async with Client(server) as client:
            yield client
        return
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=50, trust_env=False) as http:
        transport = streamable_http_client(f"{platform.url}/mcp", http_client=http)
        async with Client(transport, mode="legacy" if way == "http-legacy" else "auto") as client:
            yield client


@pytest.fixture
async def handbook(api: httpx.AsyncClient, kb: str) -> str:
    """A knowledge base with an English and a Chinese text."""
    await ready(api, kb, ("leave.txt", LEAVE.encode()), ("签证.txt", VISA.encode()))
    return kb


@pytest.mark.parametrize("way", ["http", "http-legacy", "stdio"])
async def test_an_assistant_searches_reads_and_asks(
    platform: Platform, api: httpx.AsyncClient, handbook: str, way: Way
) -> None:
    """The shapes that connectors expect; progress while an answer is made; events in the audit trail."""
    async with connected(platform, way) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert listed == {"search", "fetch", "ask", "list_knowledge_bases"}
        names = (await client.call_tool("list_knowledge_bases")).structured_content["knowledge_bases"]
        assert handbook in [each["name"] for each in names]
        found = await client.call_tool("search", {"query": QUESTION, "knowledge_bases": [handbook], "limit": 1})
        (hit,) = found.structured_content["results"]
        assert json.loads(found.content[0].text) == found.structured_content  # type: ignore[union-attr]
        assert (hit["title"], hit["text"]) == ("leave.txt", LEAVE)
        assert hit["url"] == f"{platform.url}/#/kb/{handbook}/documents?search=leave.txt"
        read = (await client.call_tool("fetch", {"id": hit["id"]})).structured_content
        assert (read["id"], read["title"], read["text"], read["url"]) == (hit["id"], "leave.txt", LEAVE, hit["url"])
        assert (read["metadata"]["complete"], read["metadata"]["knowledge_base"]) == (True, handbook)

        told: list[str] = []

        async def progress(_: float, __: float | None, message: str | None) -> None:
            told.append(message or "")

        asked = {"question": "签证费用由谁承担？", "knowledge_base": handbook}
        answered = await client.call_tool("ask", asked, progress_callback=progress)
        assert not answered.is_error
        answer = answered.structured_content
        assert (answer["found"], answer["sources"][0]["title"]) == (True, "签证.txt")
        assert "公司承担" in answer["answer"]
        text = answered.content[0].text  # type: ignore[union-attr]
        assert "**来源**" in text
        assert "* [1] `签证.txt`: <" in text
        assert "正在撰写回答" in told
        going_on = {"question": QUESTION, "conversation_id": answer["conversation_id"]}
        second = (await client.call_tool("ask", going_on)).structured_content
        assert second["conversation_id"] == answer["conversation_id"]
        assert "five days" in second["answer"]
    for action, count in (("knowledge_base.search", 1), ("document.chunks", 1), ("question.ask", 2)):
        events = (await api.get(f"/audit/events?action={action}&kb={handbook}")).json()["items"]
        assert len(events) == count, action
        assert all(each["request_id"] and each["outcome"] == "done" for each in events)
        assert QUESTION not in str(events)


@pytest.mark.parametrize("way", ["http", "http-legacy"])
async def test_only_what_a_key_grants_exists(
    platform: Platform, api: httpx.AsyncClient, handbook: str, way: Way
) -> None:
    """A reader of another knowledge base finds nothing of this one, by name or by id; no valid key: 401."""
    hits = (await api.post(f"/knowledge-bases/{handbook}/search", json={"query": QUESTION})).json()["hits"]
    other = f"{handbook}-2"
    assert (await api.post("/knowledge-bases", json={"name": other})).status_code == 201
    rita = f"rita-{handbook}-{way}"
    token = await signed_in(platform, api, rita, other)
    async with connected(platform, way, token) as client:
        assert len((await client.list_tools()).tools) == 4
    made = await api.post("/keys", json={"owner": rita, "role": "reader"})  # refusals are counted by key
    async with connected(platform, way, made.json()["key"]) as client:
        (only,) = (await client.call_tool("list_knowledge_bases")).structured_content["knowledge_bases"]
        assert only["name"] == other
        assert (await client.call_tool("search", {"query": QUESTION})).structured_content == {"results": []}
        for tool, arguments in (
            ("search", {"query": QUESTION, "knowledge_bases": [handbook]}),
            ("fetch", {"id": hits[0]["chunk_id"]}),
            ("fetch", {"id": hits[0]["document_id"]}),
            ("ask", {"question": QUESTION, "knowledge_base": handbook}),
        ):
            refused = await client.call_tool(tool, arguments)
            assert refused.is_error
            assert LEAVE not in str(refused)
            assert "There is no" in refused.content[0].text, tool  # type: ignore[union-attr]
        wrong = await client.call_tool("search", {"query": "年假", "limit": 0})
        assert "请求无效" in wrong.content[0].text  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="there is no tool of this name; there are: search"):
            await client.call_tool("delete", {})
    events = (await api.get(f"/audit/events?actor={rita}&outcome=refused")).json()["items"]
    assert {each["action"] for each in events} >= {"knowledge_base.search", "document.chunks", "question.ask"}
    for bad in ("", "wrong", await expired_key(platform, rita)):
        async with httpx.AsyncClient(trust_env=False) as http:
            headers = {"Authorization": f"Bearer {bad}"} if bad else {}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            answer = await http.post(f"{platform.url}/mcp", json=message, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def expired_key(platform: Platform, user: str) -> str:
    """A key of a user whose time is over."""
    catalog = Catalog(platform.settings.catalog_url)
    try:
        owner = await catalog.users.get(user)
        _, key = await catalog.api_keys.create_for(owner, "admin", expires_at=datetime.now(UTC) - timedelta(seconds=1))
        return key
    finally:
        await catalog.close()


@pytest.mark.long
async def test_canceling_a_call_cancels_its_question(platform: Platform, api: httpx.AsyncClient, handbook: str) -> None:
    """However the protocol says it: by closing the connection, or in a message of its own."""
    worker = platform.pid_of("worker-interactive")
    questions: dict[str, None] = {}

    async def newly_asked() -> str | None:
        id = await asked_of(platform, handbook)
        return id if id is not None and id not in questions else None

    async with (
        connected(platform, "http") as modern,
        connected(platform, "http-legacy") as legacy,
        connected(platform, "stdio") as stdio,
    ):
        os.kill(worker, signal.SIGSTOP)
        try:
            for client in (modern, legacy, stdio):
                call = asyncio.create_task(client.call_tool("ask", {"question": QUESTION, "knowledge_base": handbook}))
                questions[await assert_eventually(newly_asked)] = None
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            for id in questions:
                await assert_eventually(partial(cancel_requested, platform, id))
        finally:
            os.kill(worker, signal.SIGCONT)

    async def canceled() -> bool:
        return {(await api.get(f"/questions/{id}")).json()["state"] for id in questions} == {"canceled"}

    await assert_eventually(canceled)
    assert len(questions) == 3


async def test_stdio_says_what_to_do_without_a_key(platform: Platform) -> None:
    """The tools are listed without the API; their calls say what is wrong."""
    async with connected(platform, "stdio", "wrong") as client:
        assert len((await client.list_tools()).tools) == 4
        refused = await client.call_tool("search", {"query": QUESTION})
        assert refused.is_error
        assert "holdfast login" in refused.content[0].text  # type: ignore[union-attr]
