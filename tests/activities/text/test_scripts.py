"""Scripts: the language of a text by its characters."""

from __future__ import annotations

import pytest

from activities.text.scripts import is_han, query_language


@pytest.mark.parametrize(
    ("text", "han"),
    [
        ("年假五天", True),
        ("使用 GPU 部署模型", True),
        ("the 年假 policy of the company", False),
        ("", False),
        ("42", False),
    ],
)
def test_a_text_is_chinese_when_most_of_it_is(text: str, han: bool) -> None:
    """A Latin name in a Chinese sentence changes nothing, nor does a Chinese word in an English one."""
    assert is_han(text) is han


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How much leave?", "en"), ("¿Cuánto?", "en"), ("12345 !?", "en"), ("", "en"),
        ("签证费用谁承担", "zh"), ("GPU 驱动怎么配置", "zh"), ("How do I 报销?", "zh"),
        ("休暇は何日ですか", "ja"), ("カード", "ja"), ("휴가는 며칠입니까", "ko"), ("Сколько дней отпуска?", "ru"),
    ],
)  # fmt: skip
def test_the_script_tells_the_language(text: str, language: str) -> None:
    """Japanese and Korean are checked before Chinese: they may share its characters. Latin counts as English."""
    assert query_language(text) == language
