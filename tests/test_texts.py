"""Texts for people: each exists in English and Chinese, and is shown in one of the two."""

from __future__ import annotations

import ast
import importlib
import re
import string
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import pytest
from litestar import Litestar, Request, get, post
from litestar.params import JSONBody, Parameter

from activities.contracts.names import clean_name, clean_tags
from activities.errors import DamagedDocument, InvalidName, InvalidRequest, NotFound, Reason, SettingsError
from activities.phrases import Bilingual, Phrase
from activities.settings import load
from activities.stores.catalog.roles import ROLES
from activities.validation import explain
from api.cli.texts.messages import TEXTS, text_of
from api.client.problems import Message, Problem
from api.http.problems import EXCEPTION_HANDLERS
from api.http.sse import last_offset
from api.openai.messages import parse_messages
from api.openai.schemas import ChatRequest
from api.questions.schemas import SearchFilter

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("activities", "workflows", "api", "triton_models")
FILES = sorted(
    file for package in PACKAGES for file in (ROOT / package).rglob("*.py") if "site-packages" not in str(file)
)
HAN = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"[A-Za-z]{2,}")

#: Names that are the same in both languages.
NAMES = {
    *("Holdfast", "Temporal", "Triton", "Milvus", "API", "Idempotency", "Key", "Word", "Excel", "PowerPoint"),
    *(
        "LibreOffice",
        "OpenDocument",
        "Outlook",
        "EPUB",
        "RTF",
        "PNG",
        "JPEG",
        "BMP",
        "TIFF",
        "GIF",
        "HEIC",
        "WebP",
        "MiB",
        "KiB",
    ),
    *("JSON", "ISO", "Last", "Event", "ID", "docx", "zip"),
    *("Webhook", "Webhooks", "HTTP", "HOLDFAST_WEBHOOK_ALLOWED_NETWORKS"),
    *("HOLDFAST_OIDC_ISSUER", "https"),
}


class Strings(ast.NodeVisitor):
    """The strings of a module that users may see: no docstrings, no patterns; an f-string is one string."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if ast.unparse(node.func) not in ("re.compile", "re.search"):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        self.found.append((node.lineno, " ".join(map(str, parts))))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.append((node.lineno, node.value))


def strings(source: str) -> list[tuple[int, str]]:
    """(line, string) of a module's source."""
    visitor = Strings()
    visitor.visit(ast.parse(source))
    return visitor.found


def english_words(text: str) -> set[str]:
    """The English words of a Chinese text, without code, parameters, settings and names."""
    text = re.sub(r"`[^`]*`|\{[^}]*\}|HOLDFAST_\w+|--\w+|\bhttps?://\S+|Ctrl-C", " ", text)
    return set(WORD.findall(text)) - NAMES


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_string_holds_two_languages(file: Path) -> None:
    """A string with Chinese has no English word but names and code, tables of texts included."""
    mixed = [(line, text) for line, text in strings(file.read_text()) if HAN.search(text) and english_words(text)]
    allowed = TECHNICAL.get(file.relative_to(ROOT).as_posix(), set())
    assert [each for each in mixed if english_words(each[1]) - allowed] == []


#: Words that Chinese texts of the command line keep: formats, programs, fields, measures.
TECHNICAL = {
    "api/audit/runs/texts.py": {"UTC"},
    "api/cli/texts/backup.py": {"MB", "GB", "PostgreSQL"},
    "api/cli/texts/doctor.py": {"GB"},
    "api/cli/texts/runs.py": {"UTC", "SHA", "IngestDocument", "RUN", "gzip"},
    "activities/phrases.py": {"Asia", "Shanghai", "UTC", "https", "http", "example", "com", "hook"},
    "api/cli/texts/webhooks.py": {"Standard", "holdfast", "webhook", "show"},
    "api/cli/texts/messages.py": {
        "JOB",
        "MB",
        "JSON",
        "Asia",
        "Shanghai",
        "holdfast",
        "reindex",
        "start",
        "kb",
        "yes",
        "worker",
        "chmod",
        "GB",
        "LC",
        "ALL",
        "UTC",
        *ROLES,
    },
    "api/cli/texts/operating.py": {
        *("shell", "config", "bashrc", "zshrc", "completions", "completion", "bash", "zsh", "fish", "source"),
        "holdfast",
    },
    "api/cli/texts/operations.py": {"Ctrl"},
    "api/cli/texts/schedules.py": {"UTC", "cron", "Asia", "Shanghai"},
    "api/cli/texts/gate.py": {"recent"},
    "api/cli/texts/reindex_all.py": {"NAME"},
    "api/cli/texts/asking.py": {"SQuAD", "JSONL", "CSV", "recall", "MRR", "UTF", "UTC", "document", "upload"},
}


def test_a_string_with_two_languages_is_found() -> None:
    """The rule checks plain strings, f-strings and concatenations, and skips docstrings and patterns."""
    source = '''"""Docstring 中文 words."""
import re
P = re.compile("the|这")
a = "the question is empty / 问题为空"
b = f"{a} is empty / {a} 为空"
c = ("only text / "
     "只支持文本")
d = "请发送 `Authorization: Bearer`"
'''
    bad = [line for line, text in strings(source) if HAN.search(text) and english_words(text)]
    assert bad == [4, 5, 6]


def tables() -> Iterator[type[Bilingual]]:
    """All tables of texts, wherever they are defined."""
    for file in FILES:
        if "(Bilingual)" in file.read_text():
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    yield from Bilingual.__subclasses__()


def parameters(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_is_there_in_both_languages() -> None:
    """With the same parameters, the English one without Chinese; each code leads back to its text."""
    checked = 0
    for table in tables():
        for text in table:
            en, zh = text.value
            assert parameters(en) == parameters(zh), text
            assert not HAN.search(en), text
            assert HAN.search(zh), text
            assert table.of_code(text.code) is text
            checked += 1
    assert checked > 60


def calls_with_phrases() -> Iterator[tuple[str, ast.Call]]:
    """(place, call) of each call with a phrase among its arguments."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and any(
                re.match(r"Phrase\.[A-Z]", ast.unparse(each.value)) for each in node.keywords
            ):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_a_phrase_gets_its_parameters() -> None:
    """Code that raises an error with a phrase passes the parameters in the phrase's braces."""
    missing, used = [], set[str]()
    for place, call in calls_with_phrases():
        given = {each.arg for each in call.keywords}
        for each in call.keywords:
            for name in re.findall(r"Phrase\.([A-Z_]+)\b(?!\.render)", ast.unparse(each.value)):
                used.add(name)
                if parameters(Phrase[name].value[0]) - given:
                    missing.append((place, name))
    assert not missing
    assert len(used) > 40


def test_every_phrase_is_used() -> None:
    """Every phrase in the table is raised somewhere."""
    sources = " ".join(file.read_text() for file in FILES)
    assert [phrase.name for phrase in Phrase if not re.search(rf"Phrase\.{phrase.name}\b", sources)] == []


# --- the command line ------------------------------------------------------------------------------


def messages() -> Iterator[tuple[str, str, set[str]]]:
    """(place, code or its constant beginning, parameters) of every message that the code raises."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("Problem", "Message", "_Bad"):
                continue
            code, names = node.args[0], {str(each.arg) for each in node.keywords}
            if isinstance(code, ast.Name):  # the class passes its own code on
                continue
            if isinstance(code, ast.JoinedStr):
                code = code.values[0]
            assert isinstance(code, ast.Constant), ast.unparse(node)
            yield f"{file.relative_to(ROOT)}:{node.lineno}", str(code.value), names


def test_every_message_has_its_text() -> None:
    """Each code that a lower layer raises or reports is in the command line's table, with its parameters."""
    found = list(messages())
    for place, code, given in found:
        texts = [TEXTS[code]] if code in TEXTS else [texts for key, texts in TEXTS.items() if key.startswith(code)]
        assert texts, f"{place}: {code}"
        for text in (text for pair in texts for text in pair):
            assert parameters(text) <= given, f"{place}: {code}"
    assert len(found) > 40


def test_the_command_lines_texts_are_there_in_both_languages() -> None:
    """With the same parameters; the English ones have no Chinese."""
    for key, (en, zh) in TEXTS.items():
        assert parameters(en) == parameters(zh), key
        assert not HAN.search(en), key
        assert zh, key


@pytest.mark.parametrize(
    ("locale", "sentence"), [("C.UTF-8", "set.csv: it has no questions."), ("zh_CN", "其中没有问题")]
)
def test_a_problem_is_in_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, locale: str, sentence: str
) -> None:
    """Including the messages inside it."""
    monkeypatch.setenv("LC_ALL", locale)
    problem = Problem("eval.bad-file", path="set.csv", problem=Message("eval.no-questions"))
    assert sentence in text_of(problem)
    assert str(problem) == "eval.bad-file path=set.csv problem=eval.no-questions"


# --- reasons ---------------------------------------------------------------------------------------


def test_a_phrase_is_rendered_in_the_requested_language() -> None:
    """With its parameters, also after it was stored."""
    error = InvalidName(name="x", detail=Phrase.NAME_TOO_LONG, limit=255)
    assert str(error) == "The name “x” cannot be used: it is longer than 255 characters."
    stored = msgspec.json.decode(msgspec.json.encode(error.reason), type=Reason)
    assert stored.render("zh") == "名称“x”不可用：超过 255 个字符。"


def test_a_stored_phrase_has_its_english_text_beside_its_code() -> None:
    """A version that lacks the phrase still has a text to show."""
    params = DamagedDocument(format=Phrase.PICTURE, detail="cut").reason.params
    assert params == {"format": "a picture", "@format": "picture", "detail": "cut"}
    later = Reason("damaged", {"format": "a hologram", "@format": "from-the-future", "detail": "cut"})
    assert "a hologram" in later.render("zh")


def test_a_reason_of_an_older_version_is_shown_as_stored() -> None:
    """Plain strings are shown unchanged."""
    old = Reason("invalid-name", {"name": "x", "detail": "it is empty / 名称为空"})
    assert old.render("en") == "The name “x” cannot be used: it is empty / 名称为空."


def test_user_input_is_never_taken_for_a_text() -> None:
    """Not for a word, not for a phrase, not for a template."""
    assert NotFound(kind="document", id="ready").reason.render("zh") == "不存在该文档“ready”，或您无权查看。"
    assert "question-empty" in InvalidName(name="question-empty", detail="@name-empty").reason.render("zh")
    assert "{limit}" in InvalidName(name="{limit}", detail=Phrase.NAME_TOO_LONG, limit=1).reason.render("zh")


# --- texts that users see -------------------------------------------------------------------------------


def test_messages_of_msgspec_exist_in_both_languages() -> None:
    """Every message about an invalid body has its phrase; a Chinese reader gets none in English."""
    bodies = (b'{"filter": {"pages": {"from": "x"}}}', b'{"filter": {"pages": {"from": 0}}}', b"[]", b"{", b"x")
    bodies += (b'{"filter": {"name": ""}}', b'{"filter": {"colour": 1}}', b'{"mode": "magic"}', b'{"n": 1e999}', b"{}")
    for body in bodies:
        with pytest.raises(msgspec.DecodeError) as caught:
            msgspec.json.decode(body, type=Probe)
        found = explain(str(caught.value))
        assert found.phrase is not Phrase.UNUSABLE, body
        assert not HAN.search(found.render("en"))
        assert HAN.search(found.render("zh"))


def test_a_wrong_setting_is_explained_in_one_language() -> None:
    """The English text has no Chinese, and the Chinese text explains the mistake in Chinese."""
    for environ in ({"HOLDFAST_API_PORT": "0"}, {"HOLDFAST_LOG_LEVEL": "loud"}, {"HOLDFAST_X": "1"}):
        with pytest.raises(SettingsError) as caught:
            load(environ)
        assert not HAN.search(caught.value.reason.render("en"))
        problem = caught.value.reason.render("zh").split("不可用：")[1]
        assert HAN.search(problem)


class Probe(msgspec.Struct, forbid_unknown_fields=True):
    """A body with the kinds of fields that the API's bodies have."""

    needed: str
    filter: SearchFilter = SearchFilter()
    mode: Annotated[str, msgspec.Meta(pattern="^[a-c]$")] = "a"
    n: float = 0


@post("/probe")
async def probe(data: JSONBody[Probe]) -> None:
    """Takes a body."""


@post("/chat")
async def chat(data: JSONBody[ChatRequest]) -> None:
    """Reads messages as the OpenAI API does."""
    parse_messages(data.messages)


@get("/names", sync_to_thread=False)
def names(request: Request[object, object, object], limit: Annotated[int, Parameter(ge=1)] = 1) -> None:
    """Reads a name, tags and a header as the API does."""
    last_offset(request.headers.get("last-event-id"))
    clean_tags(request.query_params.getall("tags", []))
    clean_name(request.query_params.get("name", "name"))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """An application with the API's error handlers."""
    app = Litestar([probe, chat, names], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


BAD: list[tuple[str, str, dict[str, object]]] = [
    ("POST", "/probe", {"content": b"{"}),
    ("POST", "/probe", {"content": b"no json"}),
    ("POST", "/probe", {"json": {}}),
    ("POST", "/probe", {"json": []}),
    ("POST", "/probe", {"json": {"needed": 1}}),
    ("POST", "/probe", {"json": {"needed": "x", "colour": "red"}}),
    ("POST", "/probe", {"json": {"needed": "x", "mode": "magic"}}),
    ("POST", "/probe", {"json": {"needed": "x", "filter": {"tags": [""]}}}),
    ("POST", "/probe", {"json": {"needed": "x", "filter": {"tags": ["  "]}}}),
    ("POST", "/probe", {"json": {"needed": "x", "filter": {"uploaded": {"since": "yesterday"}}}}),
    ("POST", "/chat", {"json": {"model": "kb", "messages": []}}),
    ("POST", "/chat", {"json": {"model": "kb", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}}),
    ("GET", "/names?limit=0", {}),
    ("GET", "/names?limit=x", {}),
    ("GET", "/names?name=/", {}),
    ("GET", "/names?name=a%00b", {}),
    ("GET", "/names?tags=" + "x" * 65, {}),
    ("GET", "/names", {"headers": {"Last-Event-ID": "no"}}),
    ("GET", "/nowhere", {}),
    ("DELETE", "/names", {}),
]


@pytest.mark.parametrize(("method", "path", "sent"), BAD)
async def test_a_refusal_is_in_the_language_of_the_request(
    client: httpx.AsyncClient, method: str, path: str, sent: dict[str, object]
) -> None:
    """An English client gets no Chinese, a Chinese one a Chinese sentence and no English one."""
    for language in ("en", "zh-CN"):
        headers = {"Accept-Language": language, **sent.get("headers", {})}  # type: ignore[dict-item]
        answer = await client.request(method, path, **(sent | {"headers": headers}))  # type: ignore[arg-type]
        assert 400 <= answer.status_code < 500, answer.text
        detail = answer.json()["detail"]
        if language == "en":
            assert not HAN.search(detail)
        else:
            told = re.sub(r"“[^”]*”|（.*）", " ", detail)  # the sent value, a library's message
            assert HAN.search(told), detail
            assert not english_words(told) - {"DELETE"}, detail


def test_validation_in_a_struct_raises_holdfasts_errors() -> None:
    """An impossible filter is refused with a phrase, not with msgspec's quotation of an English sentence."""
    for value in ({"tags": ["x" * 64, "  "]}, {"uploaded": {"until": "9999-12-31"}}):
        with pytest.raises(InvalidRequest) as caught:
            msgspec.convert(value, SearchFilter)
        assert HAN.search(caught.value.reason.render("zh"))
