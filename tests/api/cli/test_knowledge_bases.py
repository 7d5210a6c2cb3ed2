"""`holdfast kb set` and `kb show`: the settings of a knowledge base."""

from __future__ import annotations

import json

import pytest

from api.http.schemas import JobAccepted
from api.knowledge_bases.schemas import ChangeKnowledgeBase, KnowledgeBaseInfo
from api.reindexes.schemas import PlanInfo, ReindexInfo
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, sse, whole

KB = "/api/v1/knowledge-bases/hr"
ANSWERS = dict.fromkeys(["mode", "instructions", "temperature", "top_p", "max_tokens"])
CHUNKING = {"max_tokens": 350, "overlap_tokens": 20}
HR = whole(KnowledgeBaseInfo, name="hr", chunking=CHUNKING, documents={"ready": 3}, answers=ANSWERS)
ID = "0" * 31 + "1"


def planning(fake: FakeApi, state: str = "ready", **fields: object) -> None:
    """Let the API plan a re-index."""
    plan = whole(PlanInfo, documents=3, cut_again=3, chunks=10, new_chunks=40, embedded=40, tokens=2000)
    info = whole(ReindexInfo, id=ID, knowledge_base="hr", state=state, plan=plan, **fields)
    fake.on(f"POST {KB}/reindex-plan", whole(JobAccepted, id=ID, state="queued"), 202)
    fake.routes[f"GET /api/v1/reindexes/{ID}/events"] = sse(("state", info))


def test_only_what_is_given_is_changed(fake: FakeApi, holdfast: Holdfast) -> None:
    """An empty text is a text; --reset leaves a setting to the platform."""
    fake.on(f"PATCH {KB}", HR)
    words = ("--title", "People", "--description", "", "--mode", "generative", "--temperature", "0.2")
    result = holdfast("kb", "set", "hr", *words, "--reset", "instructions", "--reset", "answer-tokens")
    assert (result.exit_code, result.stdout) == (0, "Knowledge base hr was changed.\n")
    body = json.loads(fake.requests[-1].body)
    answers = {"mode": "generative", "temperature": 0.2, "instructions": None, "max_tokens": None}
    assert body == {"title": "People", "description": "", "answers": answers}
    assert len(fake.requests) == 1


def test_every_setting_of_the_api_has_an_option(fake: FakeApi, holdfast: Holdfast) -> None:
    """All that PATCH accepts can be set."""
    fake.on(f"PATCH {KB}", HR)
    options = {"--title": "t", "--description": "d", "--mode": "extractive", "--instructions": "i",
               "--temperature": "1", "--top-p": "0.5", "--answer-tokens": "9"}  # fmt: skip
    holdfast("kb", "set", "hr", *(word for pair in options.items() for word in pair))
    body = json.loads(fake.requests[-1].body)
    assert body.keys() == set(ChangeKnowledgeBase.__struct_fields__)
    assert body["answers"].keys() == ANSWERS.keys()


def test_another_chunking_is_planned_and_nothing_else(fake: FakeApi, holdfast: Holdfast) -> None:
    """The plan is shown with the command that builds it; no re-index is started and nothing is changed."""
    planning(fake)
    fake.on(f"GET {KB}", HR)
    result = holdfast("kb", "set", "hr", "--max-tokens", "64", "--model", "big model")
    assert result.exit_code == 0, result.stderr
    command = "holdfast reindex start --kb hr --max-tokens 64 --model 'big model'"
    assert "3 cut again" in result.stdout
    assert f"The index is unchanged. Build the new one with: {command}\n" in result.stdout
    (planned,) = [request for request in fake.requests if request.method != "GET"]
    assert json.loads(planned.body) == {
        "chunking": {"max_tokens": 64, "overlap_tokens": 20},
        "embedding_model": "big model",
    }
    told = json.loads(holdfast("kb", "set", "hr", "--overlap-tokens", "5", "--json").stdout)
    assert (told["name"], told["reindex_plan"]["id"]) == ("hr", ID)
    assert told["next_command"] == "holdfast reindex start --kb hr --overlap-tokens 5"
    assert "索引尚未改变" in holdfast("kb", "set", "hr", "--max-tokens", "64", env={"LC_ALL": CHINESE}).stdout


def test_what_cannot_be_planned_changes_nothing(fake: FakeApi, holdfast: Holdfast) -> None:
    """Also not the settings that were given beside it."""
    planning(fake, "failed", reason="There is no such model.")
    fake.on(f"GET {KB}", HR)
    result = holdfast("kb", "set", "hr", "--title", "People", "--max-tokens", "64")
    assert result.exit_code == 1
    assert "There is no such model." in result.stdout
    assert not fake.asked(f"PATCH {KB}")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--mode", "magic"),
        ("--temperature", "3"),
        ("--top-p", "0"),
        ("--answer-tokens", "0"),
        ("--max-tokens", "1"),
        ("--mode", "extractive", "--reset", "mode"),
        ("--reset", "title"),
    ],
)
def test_wrong_settings_are_wrong_usage(fake: FakeApi, holdfast: Holdfast, words: tuple[str, ...]) -> None:
    """Exit 2, before anything is sent."""
    assert holdfast("kb", "set", "hr", *words).exit_code == 2
    assert not fake.requests


def test_all_settings_are_shown(fake: FakeApi, holdfast: Holdfast) -> None:
    """One line each, those of a group by their names in it; what is not set is as the platform's."""
    fake.on(f"GET {KB}", HR)
    lines = holdfast("kb", "show", "hr").stdout.splitlines()
    for line in ("name: hr", "chunking.max_tokens: 350", "documents: 3 ready", "answers.mode: (as the platform)"):
        assert line in lines
    assert not any("{" in line for line in lines)
