"""Variants: dates, numbers and Chinese that are written another way are the same, and are searched in every way."""

from __future__ import annotations

import pytest

from activities.text.chinese import other_forms, simplified, traditional
from activities.text.terms import topic_words
from activities.text.variants import canonical, expanded


@pytest.mark.parametrize(
    "text",
    ["3 May 2024", "3rd of May 2024", "May 3, 2024", "2024-05-03", "2024/5/3", "3.5.2024", "03.05.2024", "2024年5月3日",
     "二〇二四年五月三日", "2024 年 5 月 3 日"],
)  # fmt: skip
def test_a_date_has_one_canonical_form(text: str) -> None:
    """ISO with the month's name, which a text may be asked for; the query of a search has the others too."""
    assert canonical(text).split() == ["2024-05-03", "May"]
    assert {"2024-05-03", "3.5.2024", "2024年5月3日"} <= set(expanded(text).split())
    assert "3 May 2024" in expanded(text)


@pytest.mark.parametrize("text", ["31.2.2024", "2024-13-01", "二二二二年五十月五日", "version 1.2.3", "2024"])
def test_what_is_no_date_stays(text: str) -> None:
    """Days that no calendar has, versions and years."""
    assert canonical(text) == text


def test_a_month_matches_its_days() -> None:
    """In either language."""
    assert topic_words("May 2024") <= topic_words("2024-05-03")
    assert topic_words("2024年5月") <= topic_words("3 May 2024")


@pytest.mark.parametrize(
    ("text", "digits"), [("18,000", "18000"), ("1.8万", "18000"), ("12 万", "120000"), ("0.5万", "5000")]
)
def test_numbers_are_compared_by_their_digits(text: str, digits: str) -> None:
    """Groups of digits and tens of thousands."""
    assert canonical(text) == digits
    assert digits in expanded(text).split()


def test_a_year_is_never_grouped() -> None:
    """A price is."""
    assert expanded("18400 in 2024") == "18400 in 2024 18,400"


def test_full_width_letters_are_letters() -> None:
    """And full-width punctuation of Chinese stays."""
    assert canonical("Ｋｕｂｅ　１？") == "Kube 1？"


def test_traditional_and_simplified_chinese_have_the_same_words() -> None:
    """Also with words that differ by region; other characters stay."""
    assert simplified("伺服器的資料備份") == "伺服器的资料备份"
    assert traditional("备份") == "備份"
    assert topic_words("網路磁碟") == topic_words("网路磁碟")
    assert "伺服器的資料" in other_forms("服务器的数据")
    assert "服务器的数据" in other_forms("伺服器的資料")
    assert other_forms("plain text") == []


@pytest.mark.parametrize("text", ["the second quarter", "2nd quarter", "第二季度", "二季度"])
def test_a_quarter_has_its_short_form(text: str) -> None:
    """As tables write it; seasons are none."""
    assert "Q2" in canonical(text)
    assert "Q2" in expanded(text)
    assert canonical("四季如春") == "四季如春"
