"""Blocks: lists and tables are found in the lines of a passage."""

from __future__ import annotations

import pytest

from activities.text.blocks import (
    begins_in_list,
    continuation,
    headings,
    introduces,
    is_cut,
    item_number,
    items_above,
    listings,
    tables,
)


def described(text: str) -> list[tuple[str, list[str]]]:
    """The introduction and the items of each list."""
    return [(one.intro.text if one.intro else "", [item.text for item in one.items]) for one in listings(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Boats\nEvery boat carries the following:\n- an anchor\n- two ropes\nThe harbour master checks this.",
            [("Every boat carries the following:", ["- an anchor", "- two ropes"])],
        ),
        (
            "Bring these:\nboots,\na helmet,\nand a lamp.\nCaving\nCaves are closed in winter.",
            [("Bring these:", ["boots,", "a helmet,", "and a lamp."])],
        ),
        (
            "开机步骤\n1. 打开电源。\n2. 等待两分钟。\n3. 输入密码。\n机器每周清洁一次。",
            [("开机步骤", ["1. 打开电源。", "2. 等待两分钟。", "3. 输入密码。"])],
        ),
        (
            "Start the pump:\n1. Open the valve.\nThe red one.\n2. Press the button.\n5. This is another list.",
            [("Start the pump:", ["1. Open the valve.\nThe red one.", "2. Press the button."])],
        ),
        ("Depots\nAalen: timber\nBern: paper\nCork: glass", [
            ("Depots", ["Aalen: timber", "Bern: paper", "Cork: glass"]),
        ]),
        ("One sentence stands here. Another one follows.\nA third ends the text.", []),
    ],
)  # fmt: skip
def test_lists_have_their_introduction_and_items(text: str, found: list[tuple[str, list[str]]]) -> None:
    """Marked items, the parts of a sentence, and lines of one kind below a title; items keep their place."""
    assert described(text) == found
    for one in listings(text):
        assert all(text[item.start : item.end].split() == item.text.split() for item in one.items)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3. Wait.", 3), ("(4) Wait.", 4), ("十二、等待", 12), ("第三步 等待", 3), ("② Wait", 2), ("Step 7: wait", 7),
        ("Wait 3.", None),
    ],
)  # fmt: skip
def test_items_have_numbers(text: str, number: int | None) -> None:
    """Arabic, Chinese and circled numbers, with the marks that follow them."""
    assert item_number(text) == number


def test_a_list_goes_on_in_the_next_text() -> None:
    """Numbers go on, or the sentence that commas divide; other lines are not of the list."""
    (steps,) = listings("Steps:\n1. Open it.\n2. Read it.")
    assert [item.text for item in continuation("3. Sign it.\n4. Close it.\nThen rest.", steps.items)] == [
        "3. Sign it.", "4. Close it.",
    ]  # fmt: skip
    assert continuation("1. Another list.", steps.items) == continuation("Then rest.", steps.items) == []
    (parts,) = listings("Bring these:\nboots,\na helmet,")
    assert [item.text for item in continuation("a rope,\na lamp.\nGo.", parts.items)] == ["a rope,", "a lamp."]
    assert [is_cut(text) for text in ("Bring these:", "Bring:\n1. boots\n2. a lamp", "Boots are here.")] == [
        True,
        True,
        False,
    ]
    assert [begins_in_list(text) for text in ("3. Sign it.", "1. Open it.", "Sign it.")] == [True, False, False]


def test_tables_have_a_header_or_named_cells() -> None:
    """The first line of cells is the header; rows of named cells have none."""
    (plain,) = tables("Prices\nItem | Price\nBolt | 2\nNut | 1\nWithout tax.")
    assert plain.header is not None
    assert (plain.header.text, [row.text for row in plain.rows]) == ("Item | Price", ["Bolt | 2", "Nut | 1"])
    (named,) = tables("Item: Bolt | Price: 2\nItem: Nut | Price: 1")
    assert (named.header, len(named.rows)) == (None, 2)


def test_headings_stand_above_text() -> None:
    """A short line without a full stop above a sentence; items, rows and sentences are none."""
    text = "Opening hours\nThe shop opens at nine.\nDoors:\n- left\n- right\nTill | Shop\nIt is big."
    assert [line.text for line in headings(text)] == ["Opening hours"]
    assert introduces("Every boat carries the following items")
    assert introduces("以下人员除外：")
    assert not introduces("The following day was sunny. It rained.")
    assert not introduces("Five days may be carried over into the following year.")


NESTED = """Branches
They differ:
  Porto
    Garage: closes at 21:30
  Lisbon
    Garage: closes at 23:00
    Post
      letters
      parcels
Open all year."""


def test_nested_lists_have_a_list_for_each_item_with_others_below() -> None:
    """An item comprises what is below it; a list that is cut begins with its deepest level."""
    found = [
        (one.intro.own.text if one.intro else "", [item.own.text for item in one.items], one.is_below)
        for one in listings(NESTED)
    ]
    assert found == [
        ("They differ:", ["Porto", "Lisbon"], False),
        ("Porto", ["Garage: closes at 21:30"], True),
        ("Lisbon", ["Garage: closes at 23:00", "Post"], True),
        ("Post", ["letters", "parcels"], True),
    ]
    first = listings(NESTED)[0]
    assert all(NESTED[item.start : item.end] == item.text for item in first.items)
    cut = NESTED[NESTED.index("      letters") :]
    assert [[item.text for item in one.items] for one in listings(f"{cut}\n  Faro\n  Braga")] == [
        ["letters", "parcels"],
        ["Faro", "Braga"],
    ]
    rest = [item.text for item in continuation("    Desk\n  Faro\n    Garage: none\n  Braga", first.items)]
    assert rest == ["Faro\n    Garage: none", "Braga"]
    assert items_above(NESTED)[NESTED.index("parcels")] == "Lisbon, Post"
    assert is_cut(NESTED.removesuffix("\nOpen all year."))
    assert begins_in_list(cut)
    assert not is_cut(NESTED)
