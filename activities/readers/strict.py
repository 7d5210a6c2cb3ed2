"""Strict Office Open XML (ISO/IEC 29500 Strict) as the transitional kind that libraries read.

The two have the same elements in other namespaces: ``http://purl.oclc.org/ooxml/spreadsheetml/main`` is
``http://schemas.openxmlformats.org/spreadsheetml/2006/main``.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import IO

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w{1,40})/")
_HYPHENATED = {b"/extendedProperties": b"/extended-properties", b"/customProperties": b"/custom-properties"}
_RELATIONS = "_rels/.rels"


def readable(package: zipfile.ZipFile, path: Path) -> str | IO[bytes]:
    """What a library reads of the package at ``path``: its path, or a copy with transitional namespaces."""
    is_strict = _RELATIONS in package.NameToInfo and _STRICT.search(package.read(_RELATIONS)) is not None
    return _transitional(package) if is_strict else str(path)


def _transitional(package: zipfile.ZipFile) -> IO[bytes]:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for name in package.namelist():
            content = package.read(name)
            if name.endswith((".xml", ".rels")):
                content = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", content)
                for strict, usual in _HYPHENATED.items():
                    content = content.replace(strict, usual)
            copy.writestr(name, content)
    target.seek(0)
    return target
