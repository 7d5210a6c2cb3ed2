"""Excerpts: lists with their introduction and items, rows with their header, and nothing beside them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from activities.answering.excerpts import CHARACTERS, Excerpt, asked_cells, excerpts
from activities.answering.extraction import Sentence, sentences_of
from activities.contracts.answers import Source
from tests.activities.answering.test_extraction import context, source

PACKING = (
    "Packing\nEvery guide packs the following:\n- a rope\n- two lamps\n- bandages\nThe bag is weighed at the gate."
)
REFUND = "Refunds\nThe club does not refund the following:\nlate tickets,\nparking,\nlost gloves.\nAsk at the desk."
PACKED = PACKING[8 : PACKING.index("\nThe bag")]
STEPS = "Changing a tyre\nChanging a tyre takes four steps:\n"
STEPS += "1. Stop the car.\n2. Lift it.\n3. Change the wheel.\n4. Tighten the nuts."
PRICES = "Prices\nMaterial | 2022 | 2023\nOak | 310 | 325\nBirch | 120 | 140\nPine | 80 | 85"


def best(texts: Sequence[str], sources: Sequence[Source], begin: str) -> list[Sentence]:
    """The sentences of the passages, of which the one that begins like this is the best."""
    found = sentences_of(texts, sources)
    return sorted(
        (msgspec.structs.replace(one, score=1.0 if one.text.startswith(begin) else 0.5) for one in found),
        key=lambda one: -one.score,
    )


def shown(question: str, begin: str, *texts: str, sources: Sequence[Source] = ()) -> list[str]:
    """The text of each excerpt; each quote is a part of its passage."""
    sources = sources or [source(n) for n, _ in enumerate(texts, 1)]
    found = excerpts(context(question, texts, sources), best(texts, sources, begin))
    for one in found:
        for citation in one.citations:
            assert citation.quote in texts[citation.n - 1]
    return [_text(one) for one in found]


def _text(one: Excerpt) -> str:
    lines = one.lines or [citation.quote for citation in one.citations]
    return "\n".join(lines) + (f" +{one.more}" if one.more else "")


@pytest.mark.parametrize(
    ("question", "begin", "text", "answer"),
    [
        ("What does a guide pack?", "Every", PACKING, PACKED),
        ("Which things do guides pack?", "Every", PACKING, PACKED),
        ("Is parking refunded?", "The club", REFUND, "The club does not refund the following:\nparking,"),
        ("Which tickets are not refunded?", "The club", REFUND, REFUND[8 : REFUND.index("\nAsk")]),
        ("What are the steps of changing a tyre?", "Changing a tyre takes", STEPS, STEPS[16:]),
        ("What is the third step of changing a tyre?", "Changing a tyre takes", STEPS, "3. Change the wheel."),
        ("What is the last step of changing a tyre?", "Changing a tyre takes", STEPS, "4. Tighten the nuts."),
        ("Where is the bag weighed?", "The bag", PACKING, "The bag is weighed at the gate."),
    ],
)  # fmt: skip
def test_a_list_is_quoted_with_its_introduction(question: str, begin: str, text: str, answer: str) -> None:
    """The introduction with all items, one item where only it is asked for, and the sentence where no list is."""
    assert shown(question, begin, text)[:1] == [answer]


def test_a_list_below_a_title_is_found_by_its_name() -> None:
    """“List all depots” means the passage of that name, though another one is nearer."""
    depots = "Depots\nAalen: timber\nBern: paper\nCork: glass"
    other = "The depot delivers within nine days of the order."
    assert shown("List all depots.", "The depot", other, depots) == [depots]


def test_a_list_goes_on_in_the_next_chunk() -> None:
    """Items of the next chunk follow with a citation of their own."""
    texts = [STEPS, "5. Lower the car.\n6. Drive on.\nThe old tyre is recycled."]
    sources = [msgspec.structs.replace(source(n), chunk_id=f"d:1:{n}") for n in (1, 2)]
    first, second = shown("What are the steps of changing a tyre?", "Changing a tyre takes", *texts, sources=sources)
    assert (first, second) == (STEPS[16:], "5. Lower the car.\n6. Drive on.")


def test_a_long_list_is_cut_and_counted() -> None:
    """As many items as fit are quoted; the others are counted."""
    text = "The shop sells the following:\n" + "\n".join(f"- article {n} of the winter catalogue" for n in range(40))
    (answer,) = shown("Which articles does the shop sell?", "The shop", text)
    quote, _, more = answer.partition(" +")
    assert len(quote) < CHARACTERS + 60
    assert quote.count("\n") + int(more) == 40


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What did birch cost in 2023?", ["Birch | 120 | 140"]),
        ("What did oak and pine cost in 2022?", ["Oak | 310 | 325", "Pine | 80 | 85"]),
        ("Which materials have prices?", ["Oak | 310 | 325", "Birch | 120 | 140", "Pine | 80 | 85"]),
    ],
)
def test_rows_are_quoted_with_their_header(question: str, rows: list[str]) -> None:
    """The row that is asked for, not the neighbour's, below the header; several where several are asked for."""
    (answer,) = shown(question, "Oak", PRICES)
    assert answer.splitlines() == ["Material | 2022 | 2023", *rows]


def test_rows_of_named_cells_need_no_header() -> None:
    """The row of the key that the question names."""
    rows = "Tariff: Small | Price: 10\nTariff: Large | Price: 30"
    assert shown("What does the large tariff cost?", "Tariff: Small", rows) == ["Tariff: Large | Price: 30"]


@pytest.mark.parametrize(
    ("question", "row", "cells"),
    [
        ("What did Oak cost in 2023?", "Oak | 2022: 310 | 2023: 325 | 2024: 340", "Oak | 2023: 325"),
        ("What is the length of the north pier?", "Pier: North | Depth: 4 m | Length: 9", "Pier: North | Length: 9"),
        ("How many came in March 2025?", "Visitors | 2025-02: 31 | 2025-03: 27 | 2025-04: 9", "Visitors | 2025-03: 27"),
        ("北码头的长度是多少？", "码头: 北码头 | 水深: 4米 | 长度: 90米 | 年份: 1931", "码头: 北码头 | 长度: 90米"),
        ("What about Oak?", "Oak | 2022: 310 | 2023: 325 | 2024: 340", "Oak | 2022: 310 | 2023: 325 | 2024: 340"),
    ],
)  # fmt: skip
def test_of_a_row_the_cells_that_are_asked_for_are_shown(question: str, row: str, cells: str) -> None:
    """After those by which the row is found; the quote behind them is the row. Without a column's name, all of it."""
    assert asked_cells(question, row) == cells
    assert shown(question, row[:4], f"{row}\n{row.replace('3', '5')}") == [cells]


BRANCHES = """Branches
The branches have their own hours:
  Porto
    Garage: closes at 21:30
    Desk: closes at 18:00
  Lisbon
    Garage: closes at 23:00
    Desk: closes at 20:00
      parcels only until noon
  Faro"""
LISBON = "Lisbon\n  Garage: closes at 23:00\n  Desk: closes at 20:00\n    parcels only until noon"


@pytest.mark.parametrize(
    ("question", "begin", "answer"),
    [
        ("Which branches have their own hours?", "The branches", BRANCHES[9:]),
        ("When does the garage in Lisbon close?", "Garage: closes at 23", "Lisbon\n  Garage: closes at 23:00"),
        ("What are the hours of Lisbon?", "Garage: closes at 21", LISBON),
        ("Tell me about Lisbon.", "Desk: closes at 20", LISBON),
    ],
)
def test_an_item_of_a_nested_list_is_shown_with_what_is_below_it(question: str, begin: str, answer: str) -> None:
    """A question about an item gets its own ones, one about the list all of them, each on its level."""
    assert shown(question, begin, BRANCHES) == [answer]


def test_of_a_long_nested_list_the_higher_levels_are_shown() -> None:
    """Paragraphs below its items are left out as a whole where they do not fit."""
    prose = "It is heated in winter, and it is aired every day before the guests come. " * 3
    rooms = "".join(f"\n  Room {n}\n    Bed {n}\n      {prose}" for n in range(9))
    answer = "The house has these rooms:" + "".join(f"\n  Room {n}\n    Bed {n}" for n in range(9))
    assert shown("Which rooms does the house have?", "The house", f"The house has these rooms:{rooms}") == [answer]


def test_the_list_behind_an_outline_does_not_continue_it() -> None:
    """The chunk after an outline begins with the same items."""
    outline, whole = "Branches\n  Porto\n    Garage\n  Lisbon", "  Porto\n    Garage\n      It is new.\n  Lisbon"
    sources = [msgspec.structs.replace(source(n), chunk_id=f"d:1:{n}") for n in (1, 2)]
    assert shown("List all branches.", "Branches", outline, whole, sources=sources) == [outline]
