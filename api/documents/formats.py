"""The kinds of files that can be uploaded."""

from __future__ import annotations

from litestar import Controller, get

from activities.readers.formats import readable
from api.documents.routes import AnyRequest
from api.documents.schemas import FormatInfo
from api.documents.views import format_info
from api.http.access import needs
from api.http.language import language_of
from api.http.schemas import Page


class FormatController(Controller):
    path = "/api/v1/formats"
    tags = ["Formats"]

    @get(access=needs("reader"), summary="List the file formats that can be read")
    async def index(self, request: AnyRequest) -> Page[FormatInfo]:
        """All of them on one page; titles are in the language of the client."""
        return Page(items=[format_info(item, language_of(request)) for item in readable()])
