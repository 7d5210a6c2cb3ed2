"""The stream of a chat: only checked sentences are sent, each once."""

from __future__ import annotations

from activities.contracts.answers import Citation
from activities.contracts.events import DeltaEvent, ResetEvent
from api.openai.chat import Sent
from api.openai.views import file_citations


def test_a_sentence_is_sent_when_it_was_checked() -> None:
    """A sentence in progress is held back until its source is known."""
    sent = Sent()
    pieces = [sent.take(DeltaEvent(text=each)) for each in ("Five ", "days", " [1]", " It is said", " [2]", " And")]
    assert pieces == ["", "", "Five days [1]", "", " It is said [2]", ""]
    assert sent.finish("Five days [1] It is said [2]", "en") == ""


def test_an_invention_never_reaches_the_client() -> None:
    """A withdrawn sentence was never sent, and the answer continues after it."""
    sent = Sent()
    assert sent.take(DeltaEvent(text="Five days. [1] The king says so")) == "Five days. [1]"
    assert sent.take(ResetEvent()) == ""
    assert sent.take(DeltaEvent(text="Five days. [1]")) == ""
    assert sent.take(DeltaEvent(text=" In writing. [2]")) == " In writing. [2]"
    assert sent.finish("Five days. [1] In writing. [2]", "en") == ""


def test_sent_text_is_not_sent_again() -> None:
    """A generation that starts over repeats nothing, and continues at the client's position."""
    sent = Sent()
    assert sent.take(DeltaEvent(text="Five days. [1]")) == "Five days. [1]"
    assert sent.take(ResetEvent()) == ""
    assert [sent.take(DeltaEvent(text=each)) for each in ("Five ", "days. [1]", " A year. [2]")] == [
        "", "", " A year. [2]",
    ]  # fmt: skip


def test_a_changed_answer_follows_at_the_end() -> None:
    """Sent text that cannot be withdrawn is followed by the checked answer, marked as such."""
    sent = Sent()
    sent.take(DeltaEvent(text="Ten days. [1]"))
    sent.take(ResetEvent())
    assert sent.take(DeltaEvent(text="Five days. [2]")) == ""
    assert sent.finish("Five days. [2]", "en") == "\n\n[the answer, checked]\n\nFive days. [2]"
    assert "核对" in sent.finish("五天。[2]", "zh")


def test_an_answer_that_was_only_recorded_is_sent_whole() -> None:
    """Without any earlier delta, the end sends all of it."""
    assert Sent().finish("Nothing is known of that.", "en") == "Nothing is known of that."


def test_numbers_of_sources_are_file_citations() -> None:
    """Each place in the last answer; not in text before it that was taken back, and no number without a source."""
    cited = [Citation(n=n, document_id=f"d{n}", document_name=f"{n}.txt", quote="x") for n in (1, 2)]
    content = "Old. [1]\n\nFive days. [2] 年假。[1] See [3]."
    found = file_citations(content, content.index("Five"), cited)
    assert [(each.file_id, each.filename) for each in found] == [("d2", "2.txt"), ("d1", "1.txt")]
    assert [content[each.index : each.index + 3] for each in found] == ["[2]", "[1]"]
