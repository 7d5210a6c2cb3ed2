"""The words of a document's name: ``rules/travel-policy-2023.md`` → ``rules travel policy 2023``."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

#: Characters of a name that are looked at, from its end, and folders before the file's own name.
_LONGEST = 200
_FOLDERS = 1

_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}$")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BETWEEN = re.compile(r"[\W_]+")
_JOINED = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=(?:19|20)\d\d(?!\d))")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SWITCH = re.compile(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")

#: Longest number, fewest digits of a hash, and changes between letters and digits that make a word a code.
_NUMBER = 4
_HASH = 8
_SWITCHES = 4

#: Words that cameras, scanners, browsers and programs give to files, whatever is in them.
_MEANINGLESS = frozenset(
    word
    for words in (
        "attachment copy doc document download dsc export file final image img mail message new output page paragraph",
        "pdf scan scanned temp text tmp unnamed untitled upload version",
        "文档 文件 新建 新建文档 新建文本文档 扫描 扫描件 副本 未命名 图片 附件 文檔 檔案 掃描 圖片",
    )
    for word in words.split()
)


def name_words(name: str) -> str:
    """The words of a file's name and of its folder, without extension; empty for a name that says nothing.

    Hashes, long numbers and codes are left out. Without a word that means something, only years are kept.
    """
    *folders, file = PurePosixPath(_UUID.sub("", name[-_LONGEST:])).parts or ("",)
    parts = [*folders[len(folders) - _FOLDERS :], _EXTENSION.sub("", file)]
    words = [word for part in parts for word in _BETWEEN.split(_JOINED.sub(" ", part)) if word and not _is_code(word)]
    if not any(_has_meaning(word) for word in words):
        words = [word for word in words if _YEAR.fullmatch(word)]
    return " ".join(words)


def _has_meaning(word: str) -> bool:
    return len(word) > 1 and word.lower() not in _MEANINGLESS and not word.isdigit()


def _is_code(word: str) -> bool:
    """Whether a word is a hash, a number too long to be said, or letters and digits in turn."""
    if word.isdigit():
        return len(word) > _NUMBER
    is_hash = len(word) >= _HASH and _HEXADECIMAL.fullmatch(word) is not None and re.search(r"\d", word) is not None
    return is_hash or len(_SWITCH.findall(word)) >= _SWITCHES
