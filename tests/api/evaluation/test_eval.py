"""`holdfast eval`: question sets, figures, comparisons, and a run on the real platform."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import msgspec
import pytest

from api.cli.texts.messages import text_of
from api.client.problems import Problem
from api.documents.schemas import ChunkInfo, DocumentInfo
from api.evaluation.question_set import Item, read_set
from api.evaluation.runner import Outcome, alike, contains, rank_of, summary
from api.questions.schemas import QuestionAccepted, SearchHit, SearchResponse
from tests.conftest import Platform, ready
from tests.fake_api import CHINESE, FakeApi, Holdfast, Reply, sse, whole

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
TRAVEL = "Travel costs are refunded within ten working days after the trip has ended."
VISA = "外籍员工的签证费用由公司承担，每年最多报销一次。"


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    """A file with that content."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- question sets ---------------------------------------------------------------------------------

SQUAD = {
    "version": "2.0",
    "data": [
        {
            "paragraphs": [
                {
                    "context": LEAVE,
                    "qas": [
                        {"id": "1", "question": "How many days?", "answers": [{"text": "five"}, {"text": "five days"}]},
                        {"id": "2", "question": "How many hours?", "answers": [], "is_impossible": True},
                    ],
                }
            ]
        }
    ],
}

EXPECTED = [
    Item("How many days?", ("leave.pdf",), ("five days",)),
    Item("Who pays?", ("a.pdf", "b.pdf"), ("the company", "公司")),
    Item("Who painted it?", absent=True),
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "set.json",
            json.dumps(
                [
                    {"question": "How many days?", "document": "leave.pdf", "answer": "five days"},
                    {"id": 7, "question": " Who pays? ", "documents": ["a.pdf", "b.pdf"],
                     "answers": ["the company", "公司"]},
                    {"question": "Who painted it?", "absent": True},
                ]
            ),
        ),
        (
            "set.jsonl",
            '{"question": "How many days?", "document": "leave.pdf", "answer": ["five days"]}\n\n'
            '{"question": "Who pays?", "document": ["a.pdf", "b.pdf"], "answer": ["the company", "公司"]}\n'
            '{"question": "Who painted it?", "absent": true}\n',
        ),
        (
            "set.csv",
            "\ufeffQuestion,document,answer,absent\r\n"
            'How many days?,leave.pdf,"five days",\r\n,,,\r\n'
            "Who pays?,a.pdf|b.pdf,the company | 公司,no\r\n"
            "Who painted it?,,,yes\r\n",
        ),
    ],
    ids=["json", "jsonl", "csv"],
)  # fmt: skip
def test_a_set_is_read(tmp_path: Path, name: str, text: str) -> None:
    """The same questions in each of the formats."""
    assert read_set(written(tmp_path, name, text)) == EXPECTED


def test_squad_is_read(tmp_path: Path) -> None:
    """The paragraph is what should be found; impossible questions have none."""
    assert read_set(written(tmp_path, "squad.json", json.dumps(SQUAD))) == [
        Item("How many days?", answers=("five", "five days"), passage=LEAVE),
        Item("How many hours?", absent=True),
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.json", "[", "a.json, line 1: it is not JSON"),
        ("a.json", '[\n {"question": "One?"},\n {"question": }\n]', "a.json, line 3: it is not JSON"),
        ("a.json", '[{"question": "One?"}, {"query": "Two?"}]', "a.json, question 2: `query` is not known"),
        ("a.json", '[{"question": "One?"}, "Two?"]', "question 2: it is not an object"),
        ("a.json", '{"questions": []}', "it has no questions"),
        ("a.json", '{"answers": {}}', "it has no questions"),
        ("a.json", "7", "it has no questions"),
        ("a.json", '{"data": [{"paragraphs": [{"qas": []}]}]}', "`context` has to be text"),
        ("a.jsonl", '{"question": "One?"}\n{"question": "Two?"', "a.jsonl, line 2: it is not JSON"),
        ("a.jsonl", '{"question": "One?"}\n\n{"question": " "}', "a.jsonl, line 3: `question` is missing"),
        ("a.jsonl", '{"question": "One?", "document": 7}', "line 1: `document` has to be text"),
        ("a.jsonl", '{"question": "One?", "answer": ["a", null]}', "line 1: `answer` has to be text"),
        ("a.jsonl", '{"question": "One?", "absent": "maybe"}', "line 1: `absent` has to be text"),
        ("a.jsonl", '{"question": "One?", "absent": true, "answer": "x"}', "line 1: `absent` says"),
        ("a.csv", "", "a.csv, line 0: the first line must name the columns"),
        ("a.csv", "query,answer\nOne?,x\n", "a.csv, line 1: the first line must name the columns"),
        ("a.csv", "question,anser\nOne?,x\n", "a.csv, line 1: `anser` is not known"),
        ("a.csv", "question,answer\nOne?,x\nTwo?\n", "a.csv, line 3: it has 1 columns instead of 2"),
        ("a.csv", 'question\n"One\n', "a.csv, line 2: "),
        ("a.csv", "question\n", "it has no questions"),
        ("a.csv", b"question\n\xff\xfe\n", "it is not text in UTF-8"),
    ],
)
def test_a_bad_set_says_where(tmp_path: Path, name: str, text: str | bytes, sentence: str) -> None:
    """File, line or number of the question, and what is wrong with it."""
    with pytest.raises(Problem) as caught:
        read_set(written(tmp_path, name, text))
    assert sentence in text_of(caught.value)


# --- figures ---------------------------------------------------------------------------------------


def hit(name: str, text: str, document: str = "d") -> SearchHit:
    """A hit of a search."""
    found = whole(SearchHit, document_name=name, document_id=f"{document}-{name}", text=text)
    return msgspec.convert(found, SearchHit)


def test_the_rank_is_that_of_the_expected_document() -> None:
    """Several passages of one document are one place; names and ids both name a document."""
    hits = [hit("a.pdf", "x"), hit("a.pdf", "y"), hit("b.pdf", "z")]
    assert rank_of(Item("?", documents=("b.pdf",)), hits) == 2
    assert rank_of(Item("?", documents=("d-a.pdf", "b.pdf")), hits) == 1
    assert rank_of(Item("?", documents=("c.pdf",)), hits) == 0


def test_without_a_document_the_passage_or_the_answer_ranks() -> None:
    """Each hit is a place then; a passage is known again when it was cut or has its neighbours with it."""
    hits = [hit("a.pdf", TRAVEL), hit("a.pdf", f"{VISA}\n{LEAVE}  {TRAVEL}"), hit("a.pdf", LEAVE[10:70])]
    assert rank_of(Item("?", passage=LEAVE), hits) == 2
    assert rank_of(Item("?", passage=LEAVE), hits[2:]) == 1
    assert rank_of(Item("?", answers=("FIVE  days",)), hits) == 2
    assert rank_of(Item("?", answers=("six days",)), hits) == 0


def test_texts_are_compared_as_people_read_them() -> None:
    """Case, width and spaces make no difference; another text does."""
    assert contains("Within Ten\nworking days.", ["ten working"])
    assert contains("共１２天", ["12天"])
    assert not contains("Within ten working days.", ["eleven"])
    assert alike(LEAVE, LEAVE.upper())
    assert not alike(LEAVE, TRAVEL)
    assert not alike("", LEAVE)


def test_the_figures_are_what_they_say() -> None:
    """Counted by hand; failures count as misses, and what there is nothing to say of is left out."""
    outcomes = [
        Outcome("a", True, rank=1, search_ms=10, found=True, contains=True, cites=True, citations=2, valid=2,
                first_ms=100, answer_ms=200),
        Outcome("b", True, rank=4, search_ms=20, found=False, contains=False, cites=False, citations=2, valid=1,
                first_ms=100, answer_ms=300),
        Outcome("c", True, rank=0, search_ms=30, found=True, contains=False, cites=True, fallback="language",
                withheld=2, first_ms=100, answer_ms=400),
        Outcome("d", True, contains=False, cites=False, error="down"),
        Outcome("e", search_ms=40, found=False, absent=True, answer_ms=500, first_ms=100),
    ]  # fmt: skip
    found = summary(outcomes)
    assert (found["questions"], found["failed"]) == (5, 1)
    assert [found[f"search.recall_at_{k}"] for k in (1, 5, 10)] == [0.25, 0.5, 0.5]
    assert found["search.mrr"] == pytest.approx(1.25 / 4, abs=1e-4)
    assert (found["search.p50_ms"], found["search.p95_ms"]) == (30, 40)
    assert (found["answers.contain_expected"], found["answers.cite_expected"]) == (0.25, 0.5)
    assert found["answers.not_found"] == pytest.approx(1 / 3, abs=1e-4)
    assert (found["answers.absent_told"], found["answers.citations"], found["answers.citations_valid"]) == (1, 4, 0.75)
    assert (found["answers.fell_back"], found["answers.withheld"]) == (0.25, 2)
    assert (found["answers.p50_ms"], found["answers.first_p95_ms"]) == (400, 100)
    searched = summary([Outcome("a", search_ms=10)])
    assert not [name for name in searched if name.startswith(("answers.", "search.recall", "search.mrr"))]


# --- the command -----------------------------------------------------------------------------------

KB = "/api/v1/knowledge-bases/hr"


@pytest.fixture
def asked(api_fake: FakeApi) -> FakeApi:
    """An API that finds leave.txt for everything, and answers from it."""
    citation = {"n": 1, "document_id": "d1", "document_name": "leave.txt", "chunk_id": "c1", "quote": LEAVE}
    invented = citation | {"quote": "Something else."}
    done = {"answer": f"{LEAVE} [1]", "citations": [citation, invented], "mode": "extractive", "found": True}
    api_fake.on(f"GET {KB}", {"name": "hr"})
    api_fake.on(f"GET {KB}/documents?limit=1000", {"items": [whole(DocumentInfo, id="d1", name="leave.txt")]})
    api_fake.on(f"POST {KB}/search", whole(SearchResponse, hits=[msgspec.to_builtins(hit("leave.txt", LEAVE))]))
    api_fake.on(f"POST {KB}/questions", whole(QuestionAccepted, id="q1"), 202)
    chunk = whole(ChunkInfo, chunk_id="c1", text=f" {LEAVE}")
    api_fake.on("GET /api/v1/documents/d1/chunks?limit=1000", {"items": [chunk]})
    api_fake.routes["GET /api/v1/questions/q1/events"] = sse(("delta", {"text": LEAVE}), ("done", done))
    return api_fake


@pytest.fixture
def questions(tmp_path: Path) -> str:
    """A set of two questions, of which one expects a document that is not there."""
    rows = [
        {"question": "How many days?", "document": "leave.txt", "answer": "five days"},
        {"question": "When?", "document": "travel.txt", "answer": "ten working days"},
    ]
    return str(written(tmp_path, "set.json", json.dumps(rows)))


def test_search_is_measured(asked: FakeApi, holdfast: Holdfast, questions: str) -> None:
    """Every question is searched for; in a pipe each figure is one line; what cannot be found is said before."""
    result = holdfast("eval", questions, "--kb", "hr", "--search-mode", "dense")
    assert result.exit_code == 0
    figures = dict(line.split("\t") for line in result.stdout.splitlines())
    assert (figures["questions"], figures["search.recall_at_1"], figures["search.mrr"]) == ("2", "0.500", "0.500")
    assert "1 of the expected documents are not in the knowledge base, for example travel.txt." in result.stderr
    assert not [name for name in figures if name.startswith("answers.")]
    bodies = [json.loads(each.body) for each in asked.asked(f"POST {KB}/search")]
    assert {body["query"] for body in bodies} == {"How many days?", "When?"}
    assert all((body["limit"], body["mode"]) == (10, "dense") for body in bodies)
    assert not asked.asked(f"POST {KB}/questions")


def test_answers_are_measured_and_saved(asked: FakeApi, holdfast: Holdfast, questions: str, tmp_path: Path) -> None:
    """--answers asks too, in no list, and looks each quote up; --json and --save have the whole result."""
    saved = tmp_path / "a.json"
    result = holdfast("eval", questions, "--kb", "hr", "--answers", "--json", "--save", str(saved))
    whole = json.loads(result.stdout)
    assert whole == json.loads(saved.read_text())
    figures = whole["summary"]
    assert (figures["answers.contain_expected"], figures["answers.cite_expected"]) == (0.5, 0.5)
    assert (figures["answers.citations"], figures["answers.citations_valid"]) == (4, 0.5)
    assert (whole["knowledge_base"], whole["items"][0]["rank"]) == ({"name": "hr"}, 1)
    assert [json.loads(each.body)["listed"] for each in asked.asked(f"POST {KB}/questions")] == [False, False]
    assert len(asked.asked("GET /api/v1/documents/d1/chunks?limit=1000")) == 1


def test_a_question_that_fails_is_told_and_counted(asked: FakeApi, holdfast: Holdfast, questions: str) -> None:
    """The others are measured nevertheless; exit 1."""
    whole = asked.routes[f"POST {KB}/search"]
    assert isinstance(whole, Reply)
    asked.routes[f"POST {KB}/search"] = [
        Reply(b'{"detail": "Milvus does not answer."}', 503, "application/problem+json"), whole,
    ]  # fmt: skip
    result = holdfast("eval", questions, "--kb", "hr", "--parallel", "1", env={"LC_ALL": CHINESE})
    assert result.exit_code == 1
    assert "1 个问题失败" in result.stderr
    assert "Milvus does not answer." in result.stderr
    assert "failed\t1" in result.stdout


def test_the_first_questions_are_enough(asked: FakeApi, holdfast: Holdfast, questions: str) -> None:
    """--limit takes the set's beginning."""
    whole = json.loads(holdfast("eval", questions, "--kb", "hr", "--limit", "1", "--json").stdout)
    assert [item["question"] for item in whole["items"]] == ["How many days?"]


def test_an_unknown_knowledge_base_is_an_error(api_fake: FakeApi, holdfast: Holdfast, questions: str) -> None:
    """Before anything is measured."""
    api_fake.problem(f"GET {KB}", 404, "There is no knowledge base “hr”.")
    result = holdfast("eval", questions, "--kb", "hr")
    assert (result.exit_code, result.stderr) == (1, "There is no knowledge base “hr”.\n")


@pytest.mark.parametrize("argv", [(), ("set.json",), ("--kb", "hr"), ("--compare", "a.json"), ("x", "--parallel", "0")])
def test_wrong_usage_exits_with_2(holdfast: Holdfast, argv: tuple[str, ...]) -> None:
    """A file and a knowledge base, or two results."""
    assert holdfast("eval", *argv).exit_code == 2


def run(path: Path, name: str, ranks: dict[str, int], contained: dict[str, bool]) -> str:
    """A saved result."""
    items = [{"question": q, "rank": rank, "contains": contained.get(q)} for q, rank in ranks.items()]
    mrr = sum(1 / rank if rank else 0 for rank in ranks.values()) / len(ranks)
    figures = {"questions": len(ranks), "search.mrr": mrr, "search.p50_ms": 10.0 * len(name)}
    result = {"holdfast_eval": 1, "summary": figures, "items": items}
    return str(written(path, name, json.dumps(result)))


def test_two_runs_are_compared(holdfast: Holdfast, tmp_path: Path) -> None:
    """Figures beside each other with their difference, and how many questions became better or worse."""
    a = run(tmp_path, "a.json", {"One?": 1, "Two?": 2, "Three?": 0}, {"One?": True, "Two?": False})
    b = run(tmp_path, "bb.json", {"One?": 1, "Two?": 1, "Three?": 5, "Four?": 1}, {"One?": False, "Two?": True})
    lines = holdfast("eval", "--compare", a, b).stdout.splitlines()
    assert lines == [
        "questions\t3\t4\t+1",
        "search.mrr\t0.500\t0.800\t+0.3 ✓",
        "search.p50_ms\t60\t70\t+10 ✗",
        "The two results share 3 questions; the comparison by question is of these.",
        "search: MRR: 2 questions better, 0 worse.",
        "answers: contain the expected one: 1 questions better, 1 worse.",
    ]
    whole = json.loads(holdfast("eval", "--compare", a, b, "--json").stdout)
    assert whole["changed"]["search"] == {"better": ["Three?", "Two?"], "worse": []}
    assert whole["difference"]["search.mrr"] == 0.3


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"holdfast_eval": 2}', "no"])
def test_only_results_are_compared(holdfast: Holdfast, tmp_path: Path, text: str) -> None:
    """Anything else is named."""
    a = run(tmp_path, "a.json", {"One?": 1}, {})
    result = holdfast("eval", "--compare", a, str(written(tmp_path, "b.json", text)))
    assert result.exit_code == 1
    assert "b.json: it is not a result of `holdfast eval`." in result.stderr


async def test_an_evaluation_of_the_real_platform(
    api: httpx.AsyncClient, kb: str, platform: Platform, tmp_path: Path
) -> None:
    """SQuAD and named documents, in both languages: all is found, every citation is valid, no conversation is left."""
    await ready(api, kb, ("leave.txt", LEAVE.encode()), ("travel.txt", TRAVEL.encode()), ("签证.txt", VISA.encode()))
    rows = [
        {"question": "How many days of unused leave can be carried over?", "document": "leave.txt", "answer": "five"},
        {"question": "签证费用由谁承担？", "document": "签证.txt", "answer": "公司"},
        {"question": "Who painted the Mona Lisa?", "absent": True},
    ]
    path = written(tmp_path, "set.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    done = platform.holdfast("eval", str(path), "--kb", kb, "--answers", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["summary"]
    assert (figures["search.recall_at_1"], figures["search.mrr"]) == (1, 1)
    assert (figures["answers.contain_expected"], figures["answers.cite_expected"]) == (1, 1)
    assert (figures["answers.not_found"], figures["answers.absent_told"]) == (0, 1)
    assert figures["answers.citations_valid"] == 1
    squad = written(tmp_path, "squad.json", json.dumps(SQUAD))
    found = json.loads(platform.holdfast("eval", str(squad), "--kb", kb, "--json").stdout)
    assert found["summary"]["search.recall_at_1"] == 1
    assert (await api.get("/conversations", params={"kb": kb})).json()["items"] == []
