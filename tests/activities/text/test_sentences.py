"""Sentences of passages."""

from __future__ import annotations

import pytest

from activities.text.sentences import spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is there! Three? Yes.", ["One is here.", "Two is there!", "Three?", "Yes."]),
        ("一句话。两句话！三句话？第四句；第五句", ["一句话。", "两句话！", "三句话？", "第四句；第五句"]),
        ("他说：“好的。”然后走了。", ["他说：“好的。”", "然后走了。"]),
        ("Brown v. ProgressRecorder of Education ended it. Gen. Lee had left.",
         ["Brown v. ProgressRecorder of Education ended it.", "Gen. Lee had left."]),
        ("Dr. Smith pays 3.5 % to Acme Ltd. every year, e.g. in May. Then he rests.",
         ["Dr. Smith pays 3.5 % to Acme Ltd. every year, e.g. in May.", "Then he rests."]),
        ("A line\nanother line", ["A line", "another line"]),
        ("Team: Blues | Wins: 3. Last year | City: St. Louis. Yes\nNext row | Wins: 4",
         ["Team: Blues | Wins: 3. Last year | City: St. Louis. Yes", "Next row | Wins: 4"]),
        ("使用 GPU 部署。See the manual. 完毕。", ["使用 GPU 部署。", "See the manual.", "完毕。"]),
        ("  \n\n \t", []),
        ("", []),
    ],
)  # fmt: skip
def test_texts_are_cut_into_sentences(text: str, expected: list[str]) -> None:
    """English, Chinese and mixed text; abbreviations and numbers end no sentence, a line break does."""
    assert [text[start:end] for start, end in spans(text)] == expected
