"""Names of documents, out of whatever a client or an archive says."""

from __future__ import annotations

import unicodedata

from activities.errors import InvalidName

#: Longest name of a document, in characters.
MAX_NAME = 255


def clean_name(name: str) -> str:
    """A document's name: relative, readable, never used as a path.

    Folders in it are kept (``reports/2024.pdf``), steps out of it are not. Raises InvalidName.
    """
    shown = name[:60]
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidName(name=shown, detail="it contains control characters / 包含控制字符")
    name = "/".join(part.strip() for part in name.split("/") if part.strip() not in ("", ".", ".."))
    if not name:
        raise InvalidName(name=shown, detail="it is empty / 名称为空")
    if len(name) > MAX_NAME:
        raise InvalidName(name=shown, detail=f"it is longer than {MAX_NAME} characters / 超过 {MAX_NAME} 个字符")
    return name
