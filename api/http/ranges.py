"""Serves the uploaded bytes of a document, complete or one range of them."""

from __future__ import annotations

import re
from urllib.parse import quote

from litestar import Response
from litestar.response import Stream

from activities.stores.blobs import Blobs

#: Characters that stay out of a quoted name.
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._()+-]")

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


def _bounded(digits: str, size: int) -> int:
    """The number, or ``size`` if it is larger; of any length, which ``int`` does not take."""
    digits = digits.lstrip("0") or "0"
    return min(int(digits), size) if len(digits) <= len(str(size)) else size


def attachment(name: str) -> str:
    """The header that makes browsers store a file under this name (RFC 6266), whatever characters it has."""
    plain = _UNSAFE.sub("_", name) or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def content_response(blobs: Blobs, key: str, name: str, range_header: str | None) -> Stream | Response[bytes]:
    """Stream a blob as a download; 206 for a range, 416 for an unsatisfiable one.

    Always an attachment of unknown type: an uploaded HTML page must never run in this server's origin.
    """
    size = await blobs.size(key)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": attachment(name.rsplit("/", 1)[-1]),
    }
    start, end = 0, size
    match = _RANGE.fullmatch(range_header.strip()) if range_header else None
    if match is not None and match.group() != "bytes=-":
        first, last = match.groups()
        start = _bounded(first, size) if first else size - _bounded(last, size)
        end = min(size, _bounded(last, size) + 1) if first and last else size
        if start >= end:
            unsatisfied = {"Content-Range": f"bytes */{size}"}
            return Response(b"", status_code=416, headers=unsatisfied, media_type="application/octet-stream")
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    return Stream(
        blobs.stream(key, start, end),
        status_code=206 if "Content-Range" in headers else 200,
        headers=headers,
        media_type="application/octet-stream",
    )
