"""Readiness probes of the services of the platform."""

# ruff: noqa: PLC0415 - slow imports happen while the first children are starting

from __future__ import annotations

import asyncio

from activities.errors import TritonUnavailable
from activities.settings import Settings

#: What runs can be searched by in Temporal.
SEARCH_ATTRIBUTES = ("KnowledgeBase", "Document", "DocumentName", "Owner", "Stage")


async def temporal_ready(settings: Settings) -> bool:
    """Whether Temporal's frontend answers, knows the namespace and has all search attributes.

    Those that a database of an earlier version lacks are added: its command line does that for a new database only.
    """
    from temporalio.api.enums.v1 import IndexedValueType
    from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    from activities.errors import DependencyError
    from activities.runtime import temporal

    try:
        client = await temporal.connect(settings.temporal)
        async with temporal.translated():
            namespace, operator = client.namespace, client.operator_service
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
            known = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
            if missing := set(SEARCH_ATTRIBUTES) - set(known.custom_attributes):
                added = dict.fromkeys(missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
                await operator.add_search_attributes(
                    AddSearchAttributesRequest(namespace=namespace, search_attributes=added)
                )
    except (DependencyError, temporal.RunNotFound):
        return False
    return True


async def triton_ready(settings: Settings) -> bool:
    """Whether a Triton server serves all models that the settings require."""
    from activities.stores.servers import Servers

    names = ["embed", "generate", *(["rerank"] if settings.rerank.model else [])]
    servers = Servers(settings.triton.address)
    try:
        for server in await servers.in_turn():
            if all([await server.is_ready(name) for name in names]):
                return True
    except TritonUnavailable:  # no name is known
        return False
    finally:
        await servers.close()
    return False


async def port_open(host: str, port: int) -> bool:
    """Whether a server listens on the port."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def http_ready(url: str) -> bool:
    """Whether a GET answers 200."""
    import httpx

    try:
        async with httpx.AsyncClient(trust_env=False, timeout=4) as client:
            return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
