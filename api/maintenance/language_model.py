"""The language model that writes generated answers, and whether it can."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get

from activities.stores.connections import Stores
from api.http.access import needs
from api.http.language import language_of
from api.maintenance.schemas import LanguageModelInfo


class LanguageModelController(Controller):
    path = "/api/v1/language-model"
    tags = ["Operation"]

    @get(access=needs("reader"), summary="Show the language model, where it runs, and whether it can answer")
    async def show(self, request: Request[Any, Any, Any], stores: Stores) -> LanguageModelInfo:
        model = await stores.triton.language_model()
        detail = model.error.reason.render(language_of(request)) if model.error else None
        return LanguageModelInfo(name=model.model, host=model.host or None, ready=detail is None, detail=detail)
