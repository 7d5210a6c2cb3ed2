"""Terms: what counts as a word, and which words two texts have in common."""

from __future__ import annotations

import pytest

from activities.text.terms import (
    rare_shares,
    search_terms,
    share,
    tells_what_it_answers,
    topic_sequence,
    topic_words,
    word_counts,
    words_of,
)


def test_words_are_words_or_pairs_of_characters() -> None:
    """Lower-case words of any alphabet, and neighbouring characters of Chinese; a lone character is a word."""
    assert words_of("The GPU-driver, v2!") == {"the", "gpu", "driver", "v2"}
    assert words_of("Größe und Мера") == {"größe", "und", "мера"}
    assert words_of("年假五天") == {"年假", "假五", "五天"}
    assert words_of("第 3 天") == {"第", "3", "天"}
    assert words_of("!? …") == set()


def test_topic_words_are_stemmed_without_stop_words() -> None:
    """Plural and past are the same word; words without a meaning of their own are left out."""
    assert topic_words("What was the carried amount?") == topic_words("carry amounts; carrying, carries: an amount")
    assert topic_words("places placed place, bus") == topic_words("placing bus")
    assert topic_words("Is it this?") == set()


def test_words_are_compared_by_their_beginnings() -> None:
    """Words of languages with spaces by a coarse stem, without stop words; Chinese by pairs of characters."""
    assert search_terms("What is Carried over?") == search_terms("carrie OVER") == {"carrie", "over"}
    assert search_terms("年假规定") == {"年假", "假规", "规定"}
    assert search_terms("GPU 驱动") == {"gpu", "驱动"}
    assert search_terms("¿…?") == set()


def test_rare_words_count_more() -> None:
    """Each of two texts has one word of the question: the word that no other text has weighs more."""
    common, rare, none = rare_shares(topic_words("leave certificate"), ["leave here", "certificate leave", "lifts"])
    assert rare > common > none == 0.0
    assert share(topic_words("leave certificate"), "No certificate") == 0.5
    assert share(set(), "No certificate") == 0.0


@pytest.mark.parametrize(
    ("question", "text", "tells"),
    [
        ("Who runs the office in Paris?", "The office in Paris is run by Ann Smith.", True),
        ("Who runs the office in Paris?", "The answer is: Ann Smith.", True),
        ("Who runs the office in Paris?", "The offices are London and Rome.", False),
        ("Who runs the office in Paris?", "Bob Miller (London)", False),
        ("Which member of the board is a lawyer?", "The member of the board is Ann Smith.", True),
        ("Which member of the board is also a retired lawyer?", "The member of the board is Ann Smith.", False),
    ],
)
def test_an_answer_restates_the_question(question: str, text: str, tells: bool) -> None:
    """It repeats what the question narrows down to, or calls itself the answer."""
    assert tells_what_it_answers(question, text) is tells


def test_all_words_are_counted() -> None:
    """As they are written, stop words too; Chinese characters one by one."""
    assert word_counts("to be or not to be 年假假") == {"to": 2, "be": 2, "or": 1, "not": 1, "年": 1, "假": 2}


def test_a_sequence_tells_what_is_joined() -> None:
    """Topic words in their order, and whether “and” or “or” joins one to the one before; Chinese stays as it stands."""
    assert topic_sequence("between Mill Street and the Thorne") == [
        ("between", False), ("mill", False), ("street", False), ("thorn", True),
    ]  # fmt: skip
    assert topic_sequence("the 年假五天 of GPU驱动") == [("年假五天", False), ("gpu驱动", False)]


def test_either_chinese_script_finds_the_other() -> None:
    """Traditional and simplified characters are the same words, in questions as in passages."""
    assert search_terms("還原數據需要多長時間") == search_terms("还原数据需要多长时间")
    assert topic_words("網路磁碟由資訊部門管理") == topic_words("网路磁碟由资讯部门管理")
    assert share(topic_words("还原数据"), "還原數據需時兩個工作日。") == 1
