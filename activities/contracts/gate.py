"""The quality gate of a re-index: questions, what they measure in both generations, and whether it may be switched."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract
from activities.errors import Reason

#: Most questions of a set, and of those that got worse that a report names.
MAX_QUESTIONS, MAX_WORSE = 1000, 20

#: Longest question and expected text of a set, longest passage, and most documents or answers of one question.
MAX_TEXT, MAX_PASSAGE, MAX_EXPECTED = 2000, 20_000, 20

#: Longest reason of an override.
MAX_OVERRIDE = 500

#: Seconds for which a refused switch waits for a person, unless the job says otherwise.
GATE_SECONDS = 7 * 86400.0

#: Where the questions come from: there are none, a set was given, or answers that were rated helpful.
QuestionsFrom = Literal["", "given", "recent"]

#: ``recall_at_1``: right documents or passages found first; ``answers``: questions answered as expected;
#: ``search_p95``: milliseconds of a search that 95 of 100 do not exceed.
MeasureName = Literal["recall_at_1", "answers", "search_p95"]


class Item(Contract, frozen=True):
    """One question with its expected answer; ``question_id`` is that of a recorded question, whose text is its asker's.

    ``documents`` are names or ids of documents, one of which should be found.
    """

    question: str
    documents: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    passage: str = ""
    absent: bool = False
    question_id: str = ""

    @property
    def findable(self) -> bool:
        """Whether it has an expected search result."""
        return bool(self.documents or self.answers or self.passage)


class Outcome(Contract, frozen=True, array_like=True):
    """What one question measured in one generation; ``first`` is None if no result is expected."""

    first: bool | None
    answered: bool
    milliseconds: float


class Pair(Contract, frozen=True, array_like=True):
    """What one question measured in the live generation and in the new one."""

    live: Outcome
    new: Outcome


class QuestionSet(Contract, frozen=True):
    """The number of questions that are ready to be asked."""

    questions: int


class MeasureInput(Contract, frozen=True):
    """The questions from number ``first`` on, for about so many ``seconds``."""

    reindex_id: str
    first: int
    total: int
    seconds: float


class Measured(Contract, frozen=True):
    pairs: list[Pair]


class JudgeInput(Contract, frozen=True):
    """``pairs`` in the order of the questions."""

    reindex_id: str
    pairs: list[Pair]


class Verdict(Contract, frozen=True):
    """``refused`` says by how much the new generation is worse; None lets it be switched to."""

    refused: Reason | None = None


class Measure(Contract, frozen=True):
    """Both generations on ``n`` questions; ``low`` … ``high`` is the 95 % interval of new − live, None below 2."""

    name: MeasureName
    live: float
    new: float
    difference: float
    low: float | None
    high: float | None
    n: int


class Worse(Contract, frozen=True):
    """A question that is worse in the new generation: its text, or the id of a recorded one."""

    measure: MeasureName
    question: str = ""
    question_id: str = ""


class Gate(Contract, frozen=True):
    """The report: ``done`` of ``questions`` were asked; ``worse`` names the first of ``worse_count``."""

    questions: int = 0
    done: int = 0
    measures: list[Measure] = []
    worse: list[Worse] = []
    worse_count: int = 0
    refused: bool = False
