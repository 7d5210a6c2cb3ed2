"""Topics of a conversation: a short question is new when the passages hold its words apart from those before."""

from __future__ import annotations

import pytest

from activities.answering.topics import is_new_topic

HANDBOOK = """Paid time off
Employees have 27 days of PTO per year. Contractors have no PTO.
Parking
A parking space costs 58 euros a month.
Tariffs
Full members pay 420 euros, supporting members 90 euros."""
RULES = "试用期\n试用期为三个月。\n年假\n工作满一年的员工，年假五天。\n物业费\n住宅物业费为2.8元，商铺为6.5元。"


@pytest.mark.parametrize(
    ("question", "carried", "goes_on", "new"),
    [
        ("Parking fee?", " (vacation days employees)", False, True),
        ("And employees?", " (contractors PTO)", True, False),
        ("And supporting members?", " (full members pay year)", True, False),
        ("Maximum amount?", " (parking)", False, False),
        ("By whom?", " (parking)", False, False),
        ("What about unicorns?", " (parking)", True, False),
        ("Unicorns?", " (parking)", False, True),
        ("那年假呢？", " (试用期)", True, True),
        ("那商铺呢？", " (住宅，物业费)", True, False),
        ("由谁负责？", " (年假)", False, False),
    ],
)
def test_new_words_apart_from_the_former_ones_are_a_new_topic(
    question: str, carried: str, goes_on: bool, new: bool
) -> None:
    """Words in one paragraph go together; a question without words of its own goes on with the topic."""
    assert is_new_topic(question, carried, [HANDBOOK, RULES], goes_on=goes_on) is new
