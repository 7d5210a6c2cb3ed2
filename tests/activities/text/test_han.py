"""Traditional and simplified Chinese: one character for another."""

from __future__ import annotations

from activities.text.han import simplified, traditional


def test_a_text_is_written_in_the_other_script() -> None:
    """Character by character; other scripts, and characters that both have, stay."""
    assert simplified("軟體資料備份規範：GPU 還原，３天") == "软体资料备份规范：GPU 还原，３天"
    assert traditional("软件的数据备份规范：GPU，表面谷物") == "軟件的數據備份規範：GPU，表面谷物"
    assert simplified("Größe, かな") == traditional("Größe, かな") == "Größe, かな"


def test_one_script_leads_back_to_itself() -> None:
    """A simplified text that is written in traditional characters is the same text again."""
    text = "员工发票须在出差结束后十五个工作日内提交，头发复杂干部里程后面。"
    assert simplified(traditional(text)) == text
    assert len(traditional(text)) == len(text)
