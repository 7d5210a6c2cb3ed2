"""Payloads of runs in plain text, for auditors, as the Temporal UI and the Temporal CLI ask for them."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, Response, delete, post
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter
from temporalio.api.common.v1 import Payload

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from activities.settings import Settings
from activities.stores.catalog.records import Principal
from api.codec import browsers
from api.codec.reading import PayloadReader
from api.codec.schemas import MAX_PAYLOADS, EncodedPayload, EncodedPayloads
from api.http.access import needs
from api.http.bodies import OPENAI_MAX_BODY_BYTES

#: Of one request: a place in a run has 2 MB at most, a third more in base64.
MAX_BODY_BYTES = OPENAI_MAX_BODY_BYTES

#: A response without content, but with a cookie.
NOTHING = {204: ResponseSpec(None, description="The browser's cookie is set.", generate_examples=False)}

Namespace = Annotated[
    str | None, HeaderParameter(name="X-Namespace", description="The Temporal namespace; another one is refused.")
]


class CodecController(Controller):
    path = browsers.PATH
    tags = ["Audit"]

    @post(
        "/decode",
        access=needs("auditor"),
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
        summary="Decrypt payloads of runs for the Temporal UI and CLI; recorded in the audit trail",
    )
    async def decode(
        self, data: EncodedPayloads, principal: Principal, runs: PayloadReader, namespace: Namespace = None
    ) -> Response[EncodedPayloads]:
        if namespace not in (None, runs.namespace):
            raise InvalidRequest(detail=Phrase.OTHER_NAMESPACE, value=namespace)
        if len(data.payloads) > MAX_PAYLOADS:
            raise InvalidRequest(detail=Phrase.TOO_MANY_PAYLOADS, limit=MAX_PAYLOADS)
        sent = [Payload(metadata=each.metadata, data=each.data) for each in data.payloads]
        found = await runs.decode(principal.subject, sent)
        answer = [EncodedPayload(metadata=dict(each.metadata), data=each.data) for each in found]
        return Response(EncodedPayloads(payloads=answer), headers={"Cache-Control": "no-store"})

    @post(
        "/session",
        access=needs("auditor"),
        status_code=204,
        responses=NOTHING,
        summary="Let this browser's Temporal UI decrypt with the key of this request, for eight hours",
    )
    async def begin(self, request: Request[Any, Any, Any], settings: Settings) -> Response[None]:
        key = request.headers["authorization"].partition(" ")[2].strip()
        return Response(None, status_code=204, cookies=[browsers.cookie(settings, key)])

    @delete(
        "/session",
        access=needs("auditor"),
        responses=NOTHING,
        summary="Take the key from this browser again",
    )
    async def end(self, settings: Settings) -> Response[None]:
        return Response(None, status_code=204, cookies=[browsers.cookie(settings, "")])
