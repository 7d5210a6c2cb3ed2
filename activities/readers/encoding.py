"""Detects the encoding of text from its bytes.

The order is: Unicode (byte-order marks, strict UTF-8, UTF-16 by its zero bytes); what a web page or XML declares, if
its bytes can be that; GB18030 and Big5 by how
common the decoded characters are, a statistic that works on one short line where general detectors guess;
Western text; ``charset-normalizer`` for the rest.
"""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

_SAMPLE_BYTES = 64 * 1024
_MAX_CONTROL_SHARE = 0.02
_SHORTEST = 10  # characters of a text that one control character does not make binary
_MAX_BROKEN_SHARE = 0.001

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# The most frequent characters, Chinese (simplified, traditional) and Korean: about half of any running text.
_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心"
    "多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外"
    "但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电"
    "四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性"
    "通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清"
    "物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连"
    "這個們來說時為會對後國過裡還麼沒發當開無見經頭動長樣現將與進實點種聲話兒問給幾業間電門東聽氣關並內產萬體處總"
    "場師書員報馬張難數應親務記邊戰從覺題讓認論義術結連學習請愛車紅網檔資訊號號碼頁續圖書館讀寫類"
    "이다는을를에의가고하은지기사로도서한리자시어인나수과그있것정들습니"
)
_PUNCTUATION = frozenset("，。、！？；：“”‘’（）《》「」『』　")
# Both Chinese standards put the common characters in a first block and the rare ones in a second.
_COMMON_BLOCKS = {"gb18030": (0xB0A1, 0xD7F9), "big5": (0xA440, 0xC67E), "big5hkscs": (0xA440, 0xC67E)}
_WESTERN = frozenset("àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜÝŸ‘’“”–—…•€£§°«»©®™·¿¡ \u00a0")
# Python's codecs for its own use: some raise other errors, or give texts that no file can hold.
_NO_CHARSETS = frozenset(("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"))
# What programs mean by a charset's name: a larger one, of which it is a part.
_WIDER = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949",
}  # fmt: skip
_DECLARATION = re.compile(
    rb"<\?xml\s[^<>]{0,100}?encoding\s{0,9}=\s{0,9}[\"']([a-z][\w.:-]*+)|<meta\s[^<>]{0,300}?charset\s{0,9}=[\s\"']{0,9}([a-z][\w.:-]*+)",
    re.I,
)
_DECLARED_WITHIN = 4096
_UNUSED = re.compile("[\x80-\x9f]")  # control characters that no text has
_CONTROL = re.compile("[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")

# What a tree of lxml cannot hold, also as a reference, such as ``&#11;``.
_UNHELD = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]"
    "|&#(?:0++(?![0-9])|0*+(?:[1-8]|1[124-9]|2[0-9]|3[01])(?![0-9])"
    "|[xX](?:0++(?![0-9a-fA-F])|0*+(?:[1-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[eEfF])(?![0-9a-fA-F])));?"
)


def decode(data: bytes, *, partial: bool = False) -> str | None:
    """The text of ``data``, or None when it is not text. ``partial``: ``data`` may end inside a character."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(_decoded(data, encoding, partial, errors="replace"))
    wide = _utf32_without_mark(data) or _utf16_without_mark(data)
    if wide:
        return _checked(_decoded(data, wide, partial, errors="replace"))
    text = _checked(_decoded(data, "utf-8", partial))
    if (text is None or b"\x1b$" in data) and (declaration := _declaration(data)):
        text = _checked(_decoded(data, declaration, partial)) or text
    if text is None and (wide := _chinese_utf16(data)):
        return _checked(_decoded(data, wide, partial, errors="replace"))
    if text is None and b"\x00" not in data[:_SAMPLE_BYTES]:
        guess = _eight_bit(data)
        text = _decoded(data, guess, partial, errors="replace") if guess else None
    return _checked(text)


def declared(data: bytes, charset: str) -> str | None:
    """The text of ``data`` in the character set that it declares; None when that is none, or not that of the data."""
    name = _known(charset)
    try:
        return data.decode(name) if name else None
    except UnicodeError:
        return None


def _known(charset: str) -> str | None:
    """The codec of a character set; None for unknown ones and for codecs that no file is written in."""
    try:
        codec = codecs.lookup(charset.lower().removeprefix("x-").replace("windows-", "cp"))
    except (LookupError, ValueError):  # a name with U+0000
        return None
    return _WIDER.get(codec.name, codec.name) if codec._is_text_encoding and codec.name not in _NO_CHARSETS else None


def _declaration(data: bytes) -> str | None:
    """The codec that a page or XML declares, unless its bytes are unlikely to be in it."""
    found = _DECLARATION.search(data[:_DECLARED_WITHIN])
    name = _known((found[1] or found[2]).decode("ascii")) if found else None
    if name is None or name.startswith("utf"):
        return None
    sample = data[:_SAMPLE_BYTES]
    if name == "cp1252":
        return name if _is_western(sample) else None
    return None if _UNUSED.search(sample.decode(name, "replace")) else name


def without_controls(text: str) -> str:
    """The text of a page or of XML with a space for each control character that no tree can hold."""
    return _UNHELD.sub(" ", text) if _UNHELD.search(text) else text


def _decoded(data: bytes, encoding: str, partial: bool, errors: str = "strict") -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)(errors).decode(data, final=not partial)
    except UnicodeDecodeError:
        return None


def _checked(text: str | None) -> str | None:
    """The text without control characters, or None when it has so many that it is not text."""
    if text is None:
        return None
    sample = text[:_SAMPLE_BYTES]
    controls = len(_CONTROL.findall(sample))
    if controls > max(len(sample) >= _SHORTEST, _MAX_CONTROL_SHARE * len(sample)):
        return None
    return _CONTROL.sub("", text) if _CONTROL.search(text) else text


def _utf32_without_mark(data: bytes) -> str | None:
    """UTF-32 by its zero bytes: code points end at 0x10FFFF, so one byte is always zero and the next mostly."""
    sample = data[: min(len(data), _SAMPLE_BYTES) // 4 * 4]
    count = len(sample) // 4
    for encoding, first, second in (("utf-32-le", 3, 2), ("utf-32-be", 0, 1)):
        if count and sample[first::4].count(0) == count and sample[second::4].count(0) > 0.9 * count:
            return encoding
    return None


def _chinese_utf16(data: bytes) -> str | None:
    """UTF-16 of Chinese text, which has few zero bytes, by its share of common characters."""
    sample = data[: min(len(data), _SAMPLE_BYTES) // 2 * 2]
    if not sample or len(data) % 2:
        return None
    for encoding in ("utf-16-le", "utf-16-be"):
        text = sample.decode(encoding, "replace")
        if sum(1 for character in text if character in _FREQUENT or character in _PUNCTUATION) > 0.4 * len(text):
            return encoding
    return None


def _utf16_without_mark(data: bytes) -> str | None:
    """UTF-16 of mostly ASCII text, by a zero in every second byte, always on the same side."""
    sample = data[:_SAMPLE_BYTES]
    if len(sample) < 4 or len(data) % 2 or b"\x00" not in sample:
        return None
    half = len(sample) // 2
    even, odd = sample[::2].count(0) / half, sample[1::2].count(0) / half
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    if even > 0.4 and odd < 0.05:
        return "utf-16-be"
    return None


def _eight_bit(data: bytes) -> str | None:
    """Name of the encoding of text that is not strict UTF-8."""
    sample = data[:_SAMPLE_BYTES]
    if _nearly_utf8(data):
        return "utf-8"
    scores = {name: _east_asian_score(sample, name) for name in ("gb18030", "big5", "big5hkscs", "euc_kr")}
    best = max(scores, key=lambda name: scores[name])
    lone_share = _lone_high_share(sample)
    if scores[best] > (0.5 if lone_share > 0.6 else 0.05):
        return best
    if _is_western(sample):
        return "cp1252"
    match = from_bytes(sample).best()
    if match is not None:
        return match.encoding
    return "cp1252" if _printable_latin(sample) else None


def _nearly_utf8(data: bytes) -> bool:
    """Whether ``data`` is UTF-8 with a few broken bytes, which are replaced rather than read in another encoding."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    multibyte = sum(1 for character in text[:_SAMPLE_BYTES] if "\x7f" < character != "\ufffd")
    return broken <= _MAX_BROKEN_SHARE * len(text) and multibyte > 10 * broken


def _east_asian_score(sample: bytes, encoding: str) -> float:
    """How common the characters of the sample are in ``encoding``: from −1 (rare) to 1 (the most common)."""
    text = _decoded(sample, encoding, partial=True)
    if text is None:
        return -1.0
    wide = [character for character in text if character > "\x7f"]
    if not wide:
        return -1.0
    return sum(_commonness(character, encoding) for character in wide) / len(wide)


def _commonness(character: str, encoding: str) -> float:
    if character in _PUNCTUATION:
        return 1.0
    if "\uac00" <= character <= "\ud7a3":
        return 0.0 if character not in _FREQUENT else 1.0
    if not "\u4e00" <= character <= "\u9fff":
        return 0.1 if "\uff00" <= character <= "\uffef" or "\u2000" <= character <= "\u30ff" else -0.7
    low, high = _COMMON_BLOCKS.get(encoding, (1, 0))
    if not low <= int.from_bytes(character.encode(encoding)[:2], "big") <= high:
        return -0.7
    return 1.0 if character in _FREQUENT else 0.2


def _lone_high_share(sample: bytes) -> float:
    """Share of the non-ASCII bytes that stand alone between ASCII bytes, as accented letters do."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", sample)]
    return sum(1 for run in runs if run == 1) / max(1, sum(runs))


def _is_western(sample: bytes) -> bool:
    text = _decoded(sample, "cp1252", partial=True)
    wide = [character for character in text or "" if character > "\x7f"]
    if not wide or sum(character in _WESTERN for character in wide) < 0.9 * len(wide):
        return False
    letters = sum(1 for byte in sample if chr(byte).isascii() and chr(byte).isalpha())
    return _lone_high_share(sample) > 0.5 or len(wide) <= letters


def _printable_latin(sample: bytes) -> bool:
    ascii_text = sum(1 for byte in sample if 32 <= byte < 127 or byte in (9, 10, 13))
    return ascii_text > 0.7 * len(sample)
