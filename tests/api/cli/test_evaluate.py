"""`holdfast eval`: searches and answers measured, results saved and compared, and a run on the real platform."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import msgspec
import pytest

from api.documents.schemas import ChunkInfo, DocumentInfo
from api.questions.schemas import QuestionAccepted, SearchResponse
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, Reply, sse, whole
from tests.api.evaluation.test_question_set import LEAVE, SQUAD, TRAVEL, VISA, written
from tests.api.evaluation.test_runner import hit
from tests.conftest import Platform, ready

KB = "/api/v1/knowledge-bases/hr"


@pytest.fixture
def asked(fake: FakeApi) -> FakeApi:
    """An API that finds leave.txt for every query, and answers from it."""
    citation = {"n": 1, "document_id": "d1", "document_name": "leave.txt", "chunk_id": "c1", "quote": LEAVE}
    invented = citation | {"quote": "Something else."}
    done = {"answer": f"{LEAVE} [1]", "citations": [citation, invented], "mode": "extractive", "found": True}
    fake.on(f"GET {KB}", {"name": "hr"})
    fake.on(f"GET {KB}/documents?limit=1000", {"items": [whole(DocumentInfo, id="d1", name="leave.txt")]})
    fake.on(f"POST {KB}/search", whole(SearchResponse, hits=[msgspec.to_builtins(hit("leave.txt", LEAVE))]))
    fake.on(f"POST {KB}/questions", whole(QuestionAccepted, id="q1"), 202)
    chunk = whole(ChunkInfo, chunk_id="c1", text=f" {LEAVE}")
    fake.on("GET /api/v1/documents/d1/chunks?limit=1000", {"items": [chunk]})
    fake.routes["GET /api/v1/questions/q1/events"] = sse(("delta", {"text": LEAVE}), ("done", done))
    return fake


@pytest.fixture
def questions(tmp_path: Path) -> str:
    """A set of two questions, one of which expects a missing document."""
    rows = [
        {"question": "How many days?", "document": "leave.txt", "answer": "five days"},
        {"question": "When?", "document": "travel.txt", "answer": "ten working days"},
    ]
    return str(written(tmp_path, "set.json", json.dumps(rows)))


def test_search_is_measured(asked: FakeApi, holdfast: Holdfast, questions: str) -> None:
    """Every question is searched; in a pipe each figure is one line; missing documents are reported first."""
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
    """--answers also asks, unlisted, and checks each quote; --json and --save have the whole result."""
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


def test_a_failed_question_is_reported_and_counted(asked: FakeApi, holdfast: Holdfast, questions: str) -> None:
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


def test_limit_takes_the_first_questions(asked: FakeApi, holdfast: Holdfast, questions: str) -> None:
    """--limit selects the beginning of the set."""
    whole = json.loads(holdfast("eval", questions, "--kb", "hr", "--limit", "1", "--json").stdout)
    assert [item["question"] for item in whole["items"]] == ["How many days?"]


def test_an_unknown_knowledge_base_is_an_error(fake: FakeApi, holdfast: Holdfast, questions: str) -> None:
    """It is reported before anything is measured."""
    fake.problem(f"GET {KB}", 404, "There is no knowledge base “hr”.")
    result = holdfast("eval", questions, "--kb", "hr")
    assert (result.exit_code, result.stderr) == (1, "There is no knowledge base “hr”.\n")


@pytest.mark.parametrize("argv", [(), ("set.json",), ("--kb", "hr"), ("--compare", "a.json"), ("x", "--parallel", "0")])
def test_wrong_usage_exits_with_2(holdfast: Holdfast, argv: tuple[str, ...]) -> None:
    """Either a file and a knowledge base, or two results, are required."""
    assert holdfast("eval", *argv).exit_code == 2


def run(path: Path, name: str, ranks: dict[str, int], contained: dict[str, bool]) -> str:
    """A saved result."""
    items = [{"question": q, "rank": rank, "contains": contained.get(q)} for q, rank in ranks.items()]
    mrr = sum(1 / rank if rank else 0 for rank in ranks.values()) / len(ranks)
    figures = {"questions": len(ranks), "search.mrr": mrr, "search.p50_ms": 10.0 * len(name)}
    result = {"holdfast_eval": 1, "summary": figures, "items": items}
    return str(written(path, name, json.dumps(result)))


def test_two_runs_are_compared(holdfast: Holdfast, tmp_path: Path) -> None:
    """Figures side by side with their difference, and the numbers of better and worse questions."""
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
    """The error names any other file."""
    a = run(tmp_path, "a.json", {"One?": 1}, {})
    result = holdfast("eval", "--compare", a, str(written(tmp_path, "b.json", text)))
    assert result.exit_code == 1
    assert "b.json: it is not a result of `holdfast eval`." in result.stderr


async def test_an_evaluation_of_the_real_platform(
    api: httpx.AsyncClient, kb: str, platform: Platform, tmp_path: Path
) -> None:
    """SQuAD and named documents, in both languages: all are found, every citation is valid, no conversation is left."""
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
