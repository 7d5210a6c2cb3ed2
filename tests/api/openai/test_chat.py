"""The stream of a chat: only checked sentences are sent, each once."""

from __future__ import annotations

from activities.contracts.events import DeltaEvent, ResetEvent
from api.openai.chat import Sent


def test_a_sentence_is_sent_when_it_was_checked() -> None:
    """What a language model is just writing is held back until its source is known."""
    sent = Sent()
    pieces = [sent.take(DeltaEvent(text=each)) for each in ("Five ", "days", " [1]", " It is said", " [2]", " And")]
    assert pieces == ["", "", "Five days [1]", "", " It is said [2]", ""]
    assert sent.finish("Five days [1] It is said [2]", "en") == ""


def test_an_invention_never_reaches_the_client() -> None:
    """A sentence that is taken back was never sent, and the answer goes on after it."""
    sent = Sent()
    assert sent.take(DeltaEvent(text="Five days. [1] The king says so")) == "Five days. [1]"
    assert sent.take(ResetEvent()) == ""
    assert sent.take(DeltaEvent(text="Five days. [1]")) == ""
    assert sent.take(DeltaEvent(text=" In writing. [2]")) == " In writing. [2]"
    assert sent.finish("Five days. [1] In writing. [2]", "en") == ""


def test_what_was_sent_is_not_sent_again() -> None:
    """A generation that starts over repeats nothing, and goes on where the client is."""
    sent = Sent()
    assert sent.take(DeltaEvent(text="Five days. [1]")) == "Five days. [1]"
    assert sent.take(ResetEvent()) == ""
    assert [sent.take(DeltaEvent(text=each)) for each in ("Five ", "days. [1]", " A year. [2]")] == [
        "", "", " A year. [2]",
    ]  # fmt: skip


def test_an_answer_that_became_another_one_is_said_at_the_end() -> None:
    """What cannot be taken back is followed by the checked answer, marked as such."""
    sent = Sent()
    sent.take(DeltaEvent(text="Ten days. [1]"))
    sent.take(ResetEvent())
    assert sent.take(DeltaEvent(text="Five days. [2]")) == ""
    assert sent.finish("Five days. [2]", "en") == "\n\n[the answer, checked]\n\nFive days. [2]"
    assert "核对" in sent.finish("五天。[2]", "zh")


def test_an_answer_that_was_only_recorded_is_sent_whole() -> None:
    """Without a single piece before, the end brings everything."""
    assert Sent().finish("Nothing is known of that.", "en") == "Nothing is known of that."
