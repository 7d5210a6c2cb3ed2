"""Rendering of answers: the questions' part of the API is mocked, so that tests can request every kind of answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.browser.walk import Page, Platform, ask, becomes_true, enter, expect, languages, overflow

ID, CONVERSATION = "1" * 32, "2" * 32
SOURCES = [
    {
        "n": n,
        "document_id": "d" * 32,
        "document_name": f"handbook-{n}.pdf",
        "version": 1,
        "chunk_id": f"{'d' * 32}:1:{n}",
    }
    | {"score": 0.9, "page": n, "section": "Leave"}
    for n in (1, 2, 3)
]
CITATION = {key: value for key, value in SOURCES[0].items() if key != "score"} | {"quote": "Five days."}
DONE = {"answer": "Five days. [1]", "citations": [CITATION], "mode": "extractive", "found": True}
DONE |= {"fallback": None, "withheld": 0}

Event = tuple[str, dict[str, Any]]


@dataclass
class Questions:
    """Answers each question with the next of ``streams`` (the last one repeatedly); records the questions."""

    streams: list[list[Event]]
    asked: list[dict[str, Any]] = field(default_factory=list)
    listened: list[str | None] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    index: dict[str, Any] = field(default_factory=lambda: {"state": "ready", "pending": 0, "eta_seconds": None})

    def on(self, page: Page) -> None:
        page.route("**/api/v1/knowledge-bases/*/questions", self.ask)
        page.route("**/api/v1/questions/*/events", self.listen)
        page.route("**/api/v1/questions/*/feedback", self.rate)

    def ask(self, route: Any) -> None:
        self.asked.append(route.request.post_data_json)
        events_url = f"/api/v1/questions/{ID}/events"
        accepted = {"id": ID, "conversation_id": CONVERSATION, "state": "queued", "events_url": events_url}
        route.fulfill(status=202, json=accepted | {"index": self.index})

    def listen(self, route: Any) -> None:
        seen = route.request.headers.get("last-event-id")
        self.listened.append(seen)
        stream = self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
        first = max(int(seen or 0), 1)  # the last seen event is repeated
        lines = [
            f"id: {n}\r\nevent: {name}\r\ndata: {json.dumps(data)}\r\n\r\n"
            for n, (name, data) in enumerate(stream, first)
        ]
        route.fulfill(status=200, content_type="text/event-stream", body="".join(lines))

    def rate(self, route: Any) -> None:
        self.feedback.append(route.request.post_data_json)
        route.fulfill(status=200, json={"id": ID})


def events(done: dict[str, Any], *deltas: str) -> list[Event]:
    return [("sources", {"sources": SOURCES}), *(("delta", {"text": text}) for text in deltas), ("done", done)]


def play(page: Page, platform: Platform, *streams: list[Event], language: str = "en") -> Questions:
    """A knowledge base whose questions get ``streams`` as answers."""
    questions = Questions(list(streams))
    questions.on(page)
    enter(page, platform, language)
    return questions


HOSTILE = """# Leave

**Five** days [1], not [7] and not `code [1]`.

| Kind | Days |
|---|---:|
| annual [1] | 25 |

1. one
2. two

<img src="x" onerror="window.pwned = 1"><script>window.pwned = 1</script>
[good](https://example.org/a) [bad](javascript:window.pwned=1) ![seen](https://example.org/pixel.png)
"""


def test_an_answer_is_markdown_of_which_nothing_runs(page: Page, platform: Platform) -> None:
    """Headings, tables and lists are elements; HTML is text; pictures are not fetched; [n] of a citation is a chip."""
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    pieces = [HOSTILE[at : at + 7] for at in range(0, len(HOSTILE), 7)]
    play(page, platform, events(DONE | {"answer": HOSTILE, "mode": "generative"}, *pieces))
    text = ask(page, "How many days?").locator(".answer-text")
    expect(text.get_by_role("heading", name="Leave", level=3)).to_be_visible()
    expect(text.locator("td").first).to_contain_text("annual")
    expect(text.locator("ol > li")).to_have_count(2)
    expect(text.locator(".chip")).to_have_count(2)
    expect(text.locator(".chip").first).to_have_attribute("aria-label", "Source 1: handbook-1.pdf")
    expect(text).to_contain_text("not [7] and not code [1].")
    expect(text).to_contain_text('<img src="x" onerror="window.pwned = 1"><script>')
    expect(text.locator("img, script, [onerror]")).to_have_count(0)
    links = text.locator("a")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("rel", re.compile("noopener"))
    assert page.evaluate("window.pwned") is None
    assert [url for url in fetched if "example.org" in url] == []


LEVELS = (
    "The branches have their own hours:\n  Porto\n    Garage: closes at 21:30\n    Desk: closes at 18:00\n  Faro [1]"
)


def test_what_is_indented_is_a_list_in_a_list(page: Page, platform: Platform) -> None:
    """As the text of a nested list comes, piece by piece; the mark of its source stands in its last item."""
    pieces = [LEVELS[at : at + 7] for at in range(0, len(LEVELS), 7)]
    play(page, platform, events(DONE | {"answer": LEVELS}, *pieces))
    text = ask(page, "Which branches have their own hours?").locator(".answer-text")
    expect(text.locator(":scope > p")).to_have_text("The branches have their own hours:")
    expect(text.locator(":scope > ul > li")).to_have_count(2)
    expect(text.locator(":scope > ul > li > ul > li")).to_have_text(
        ["Garage: closes at 21:30", "Desk: closes at 18:00"]
    )
    expect(text.locator(":scope > ul > li").last.locator(".chip")).to_have_count(1)


def test_withheld_sentences_and_fallbacks_are_shown(page: Page, platform: Platform) -> None:
    """In English and, after the switch, in Chinese."""
    kinds: list[dict[str, Any]] = [
        {"fallback": "language"},
        {"fallback": "unsupported"},
        {"mode": "generative", "withheld": 2},
    ]
    play(page, platform, *(events(DONE | kind, "Five days. [1]") for kind in kinds))
    for english, chinese in [
        ("does not write this language", "不支持用此语言"),
        ("not supported by the sources", "缺乏来源支持"),
        ("2 written sentences are left out", "已略去 2 句"),
    ]:
        notes = ask(page, "How many days?").locator(".answer-notes")
        expect(notes).to_contain_text(english)
        page.get_by_role("button", name="中文").click()
        expect(notes).to_contain_text(chinese)
        page.get_by_role("button", name="English").click()


@languages
def test_a_refusal_shows_the_nearest_passages(page: Page, platform: Platform, language: str) -> None:
    """A sentence of its own, the nearest passages below, and no chip."""
    done = DONE | {"answer": "The documents do not say.", "found": False}
    play(page, platform, events(done, "The documents do not say."), language=language)
    answer = ask(page, "Who rules Mars?")
    words = ["Not in the documents", "Nearest passages"] if language == "en" else ["文档中没有答案", "最接近的段落"]
    expect(answer.locator(".answer-notice")).to_contain_text(words[0])
    expect(answer.get_by_role("heading", name=words[1])).to_be_visible()
    expect(answer.locator(".answer-sources > .sources .source")).to_have_count(1)
    expect(answer.locator(".chip")).to_have_count(0)


def test_a_question_can_wait_for_the_index(page: Page, platform: Platform) -> None:
    """Hint and choice appear while documents are being indexed; the wait and its end are shown."""
    waiting = {"stage": "wait_for_index", "state": "waiting", "pending": 2, "eta_seconds": 40}
    questions = play(
        page, platform, events(DONE, "Five days. [1]"), [("state", waiting)], events(DONE, "Five days. [1]")
    )
    expect(page.locator("#ask-building")).to_be_hidden()
    counts = {"total": 3, "ready": 1, "running": 2}
    page.route(
        "**/api/v1/knowledge-bases/page-*", lambda route: route.fulfill(json={"name": "page", "documents": counts})
    )
    questions.index = {"state": "building", "pending": 2, "eta_seconds": 40}
    page.reload()
    page.keyboard.press("Control+k")
    expect(page.locator("#ask-building")).to_contain_text("2 documents are still being indexed.")
    answer = ask(page, "How many days?")
    assert questions.asked[-1] == {"question": "How many days?"}
    expect(answer.locator(".answer-notes")).to_contain_text("2 documents were still being indexed")

    page.get_by_label("Answer when all are ready").check()
    page.locator("#question").fill("And now?")
    page.locator("#question").press("Enter")
    status = page.locator(".answer-status").filter(has_text="2 documents to go")
    expect(status).to_contain_text("about 40 sec left")
    expect(page.locator(".answer").nth(1)).to_have_attribute("data-how", "done")
    assert questions.asked[-1]["wait_for_index"] is True
    expect(page.locator(".answer-notes").nth(1)).not_to_contain_text("indexed")


def test_a_question_says_what_it_waits_for(page: Page, platform: Platform) -> None:
    """What is down has its name, and is forgotten when the question goes on."""
    waits = {"stage": "retrieve", "state": "waiting", "waiting_for": "milvus"}
    play(page, platform, [("state", waits)], events(DONE, "Five days. [1]"))
    page.keyboard.press("Control+k")
    page.locator("#question").fill("How many days?")
    page.locator("#question").press("Enter")
    expect(page.locator(".answer-status").filter(has_text="vector store (Milvus)")).to_be_visible()
    answer = page.locator(".answer").last
    expect(answer).to_have_attribute("data-how", "done")
    expect(answer).not_to_contain_text("Milvus")


def test_a_stream_that_breaks_off_goes_on_where_it_was(page: Page, platform: Platform) -> None:
    """The second request has the last seen id, and repeated events are not shown again."""
    first = events(DONE, "Five ")[:-1]
    second: list[Event] = [("delta", {"text": "Five "}), ("delta", {"text": "days. "}), ("delta", {"text": "[1]"})]
    questions = play(page, platform, first, [*second, ("done", DONE)])
    answer = ask(page, "How many days?")
    expect(answer.locator(".answer-text")).to_have_text("Five days. 1")
    assert questions.listened == [None, "2"]


def test_a_retry_that_starts_over_shows_only_the_second_text(page: Page, platform: Platform) -> None:
    """After `reset` the text starts anew."""
    stream = events(DONE, "Nonsense", "Five days. [1]")
    play(page, platform, [*stream[:2], ("reset", {}), *stream[2:]])
    expect(ask(page, "How many days?").locator(".answer-text")).to_have_text("Five days. 1")


def test_an_answer_that_failed_is_asked_for_again(page: Page, platform: Platform) -> None:
    """The server's sentence, and a button that repeats the question."""
    failure = ("error", {"code": "unavailable", "message": "The model server is down."})
    questions = play(page, platform, [failure], events(DONE, "Five days. [1]"))
    page.keyboard.press("Control+k")
    page.locator("#question").fill("How many days?")
    page.locator("#question").press("Enter")
    expect(page.locator(".answer-notice")).to_contain_text("The model server is down.")
    page.get_by_role("button", name="Ask again").first.click()
    expect(page.locator(".answer").nth(1)).to_have_attribute("data-how", "done")
    assert [each["question"] for each in questions.asked] == ["How many days?", "How many days?"]
    assert questions.asked[1]["conversation_id"] == CONVERSATION


@languages
def test_an_answer_is_rated_with_a_comment(page: Page, platform: Platform, language: str) -> None:
    """A thumb counts at once; the comment follows; the thumb stays pressed."""
    questions = play(page, platform, events(DONE, "Five days. [1]"), language=language)
    answer = ask(page, "How many days?")
    names = (
        ["Not helpful", "What was wrong", "Send comment"] if language == "en" else ["没有帮助", "哪里有误", "发送评论"]
    )
    answer.get_by_role("button", name=names[0]).click()
    answer.get_by_label(names[1]).fill("It is six days.")
    answer.get_by_role("button", name=names[2]).click()
    expect(answer.locator(".comment")).to_be_hidden()
    thumb = answer.get_by_role("button", name=names[0])
    expect(thumb).to_have_attribute("aria-pressed", "true")
    expect(thumb).to_be_focused()
    assert questions.feedback == [{"rating": "down"}, {"rating": "down", "comment": "It is six days."}]


def test_an_answer_is_copied_with_its_sources(page: Page, platform: Platform) -> None:
    """As Markdown, with a line for each source."""
    play(page, platform, events(DONE, "Five days. [1]"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, "How many days?").get_by_role("button", name="Copy").click()
    copied = "Five days. [1]\n\nSources\n[1] handbook-1.pdf, page 1, Leave"
    becomes_true(page, "async (text) => (await navigator.clipboard.readText()) === text", copied)


@pytest.mark.parametrize("width", [390, 1280])
def test_an_answer_of_fifty_kilobytes_fits(page: Page, platform: Platform, width: int) -> None:
    """Long words, a wide table and much text neither widen the page nor hide the end."""
    page.set_viewport_size({"width": width, "height": 800})
    wide = "| " + " | ".join(f"column {n}" for n in range(30)) + " |\n|" + "---|" * 30 + "\n|" + " cell |" * 30
    words = " ".join(["x" * 300, "https://example.org/" + "y" * 300])
    long = "\n\n".join([wide, words, *(f"Paragraph {n}. {'All work and no play. ' * 17}[1]" for n in range(130))])
    assert len(long) > 50_000
    pieces = [long[at : at + 100] for at in range(0, len(long), 100)]
    play(page, platform, events(DONE | {"answer": long, "mode": "generative"}, *pieces))
    answer = ask(page, "Everything?")
    expect(answer.locator(".answer-text > p").last).to_be_in_viewport()
    expect(answer.locator(".chip")).to_have_count(130)
    assert overflow(page) <= 0
