"""What becomes of the characters of a PDF that are ligatures, variants or no text."""

from __future__ import annotations

import unicodedata

_LIGATURES = {
    code: unicodedata.normalize("NFKC", chr(code))
    for block in (range(0xFB00, 0xFB07), range(0x2F00, 0x2FE0), range(0x2E80, 0x2F00))
    for code in block
}
_INVISIBLE = dict.fromkeys((*range(0, 9), 11, 14, 15, *range(16, 32), 8203, 65279))
CLEAN = str.maketrans({**_LIGATURES, **_INVISIBLE, 0xA0: " "})
