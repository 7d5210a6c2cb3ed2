"""Requests that schemathesis makes of the OpenAPI description, and what is wrong with their answers."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.http.test_access import ENDLESS, IsolatedApi

CHECKS: list[Any] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

BOTH = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

#: Parts of a request that schemathesis makes, and headers that are the client's own.
MADE = ("method", "url", "headers", "params", "data", "json", "files", "cookies")
NOT_SENT = ("authorization", "content-length", "host")

#: Seconds after which a stream counts as one that goes on.
STREAM_SECONDS = 3

#: Answers of an outage: dependencies do not respond in these tests.
OUTAGE = (503, 504)


@dataclass
class Findings:
    """What came of the requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    lies: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """Number of requests."""
        return self.statuses.total()


def operations(described: dict[str, Any]) -> list[Any]:
    """The operations of the description; those that remove something come last."""
    schema = schemathesis.openapi.from_dict(described)
    found = [result.ok() for result in schema.get_all_operations()]
    kept = [each for each in found if f"{each.method.upper()} {each.path}" not in ENDLESS]
    return sorted(kept, key=lambda operation: operation.method == "delete")


def cases(operation: Any, mode: GenerationMode, number: int, start: int) -> list[Any]:
    """Requests of one kind: as described, or not quite."""
    found: list[Any] = []

    @seed(start)
    @hypothesis_settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        found.append(case)

    try:
        collect()
    except Exception as exc:
        if "Unsatisfiable" not in type(exc).__name__ and "negative" not in str(exc).lower():
            raise
    return found


async def probe(
    client: httpx.AsyncClient, described: dict[str, Any], ids: dict[str, str], number: int, start: int = 1
) -> Findings:
    """``number`` requests of each kind for each operation; of three, two have ``ids`` that exist."""
    findings, real = Findings(), itertools.cycle((True, True, False))
    for operation in operations(described):
        for mode in BOTH:
            for case in cases(operation, mode, number, start):
                if next(real):
                    _with_real_ids(case, ids)
                await _send(client, case, findings)
    return findings


async def probe_in_process(api: IsolatedApi, role: str | None, number: int) -> Findings:
    """The same, by a role or without a key, where only the catalogue and the file store respond."""
    headers = {"Authorization": f"Bearer {api.keys[role]}"} if role else {}
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(
        transport=transport, base_url="http://holdfast", headers=headers, timeout=30
    ) as client:
        described = msgspec.to_builtins(api.app.openapi_schema.to_schema())  # as it is served
        return await probe(client, described, api.ids[role or "admin"], number)


def _with_real_ids(case: Any, ids: dict[str, str]) -> None:
    known = ids | {"id": ids["conversation" if "conversations" in case.path else "question"]}
    case.path_parameters.update({name: known[name] for name in case.path_parameters or {} if name in known})


async def _send(client: httpx.AsyncClient, case: Any, findings: Findings) -> None:
    arguments = case.as_transport_kwargs(base_url=str(client.base_url).removesuffix("/"))
    made = {name: value for name, value in arguments.items() if name in MADE}
    prepared = requests.Request(**made).prepare()
    sent = {name: value for name, value in prepared.headers.items() if name.lower() not in NOT_SENT}
    try:
        request = client.build_request(
            prepared.method or "",
            prepared.url or "",
            headers=sent,
            content=prepared.body,  # type: ignore[arg-type]
        )
    except httpx.InvalidURL:  # longer than the client sends
        return
    try:
        answer = await asyncio.wait_for(client.send(request), STREAM_SECONDS)
    except TimeoutError:  # a stream that goes on
        return
    findings.statuses[answer.status_code] += 1
    if answer.status_code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:  # of the server, for every address
        return
    checks = CHECKS if answer.status_code in OUTAGE else [*CHECKS, not_a_server_error]
    try:
        case.validate_response(answer, checks=checks)
    except FailureGroup as group:
        said = "; ".join(f"{type(each).__name__}: {each}"[:300].replace("\n", " ") for each in group.exceptions)
        asked = f"{case.method} {prepared.url} {str(prepared.body)[:200]}"
        findings.lies.append(f"{asked} → {answer.status_code}: {said} | {answer.text[:200]}")
