"""Names and beginnings of ids where an id is wanted, and questions before something is taken away."""

from __future__ import annotations

import json

import httpx
import pytest

from api.batches.schemas import BatchInfo
from api.conversations.schemas import ConversationDetail
from api.documents.schemas import DocumentInfo, DocumentJob
from api.http.schemas import JobAccepted, JobStateInfo
from api.knowledge_bases.schemas import KnowledgeBaseInfo
from tests.api.cli.fake_api import CHINESE, ENGLISH, FakeApi, Holdfast, Reply, whole
from tests.api.cli.terminal import Terminal
from tests.conftest import Platform, ready

ONE, TWO = "0" * 31 + "1", "0" * 31 + "2"
LEAVE = {"id": ONE, "name": "leave.pdf", "knowledge_base": "hr"}
OTHER = {"id": TWO, "name": "leave.pdf", "knowledge_base": "law"}
STATUS = f"GET /api/v1/documents/{ONE}/status"
DELETE = f"DELETE /api/v1/documents/{ONE}"


# --- names -----------------------------------------------------------------------------------------


def test_a_name_stands_for_its_document(fake: FakeApi, holdfast: Holdfast) -> None:
    """In all knowledge bases, or in the one that --kb names."""
    fake.finds("document", "leave", LEAVE)
    fake.finds("document", "leave.pdf", LEAVE, kb="hr")
    fake.on(STATUS, whole(JobStateInfo, state="ready"))
    assert holdfast("status", "leave").stdout == "ready\n"
    assert holdfast("status", "leave.pdf", "--kb", "hr").stdout == "ready\n"


def test_a_whole_id_is_not_looked_up(fake: FakeApi, holdfast: Holdfast) -> None:
    """It costs no request."""
    fake.on(STATUS, whole(JobStateInfo, state="ready"))
    assert holdfast("status", ONE).exit_code == 0
    assert len(fake.requests) == 1


@pytest.mark.parametrize(("locale", "said"), [(ENGLISH, "stands for several"), (CHINESE, "对应多个对象")])
def test_an_ambiguous_name_shows_the_candidates(fake: FakeApi, holdfast: Holdfast, locale: str, said: str) -> None:
    """Exit 2, with ids and knowledge bases, at most ten; nothing else is asked of the API."""
    fake.finds("document", "leave.pdf", LEAVE, OTHER)
    result = holdfast("pause", "leave.pdf", env={"LC_ALL": locale})
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "--kb" in result.stderr
    assert f"  {TWO}  leave.pdf  law\n" in result.stderr
    error = json.loads(holdfast("pause", "leave.pdf", "--json").stdout)["error"]
    assert (error["code"], [each["id"] for each in error["candidates"]]) == ("ambiguous", [ONE, TWO])
    assert {each.method for each in fake.requests} == {"GET"}
    fake.finds("conversation", "b", *(LEAVE | {"id": id, "name": "long\nname " * 30} for id in (ONE, TWO)))
    assert max(map(len, holdfast("conversation", "show", "b").stderr.splitlines())) < 120
    fake.finds("document", "a", *(LEAVE | {"id": f"{n:032}"} for n in range(11)))
    many = holdfast("pause", "a").stderr
    assert many.count("leave.pdf") == 10
    assert "  …" in many


def test_what_is_not_found_is_left_to_the_api(fake: FakeApi, holdfast: Holdfast) -> None:
    """Its sentence says that there is none, or that the caller may not see it."""
    fake.problem("GET /api/v1/documents/leave%25/status", 404, "There is no document “leave%”.")
    result = holdfast("status", "leave%")
    assert (result.exit_code, result.stderr) == (1, "There is no document “leave%”.\n")


def test_every_kind_of_thing_has_names(fake: FakeApi, holdfast: Holdfast) -> None:
    """Batches and conversations by names, questions by the beginnings of their ids."""
    fake.finds("batch", "scans", {"id": ONE, "name": "scans", "knowledge_base": "hr"})
    fake.finds("batch", "scans", {"id": ONE, "name": "scans", "knowledge_base": "hr"}, kb="hr")
    fake.finds("conversation", "Leave", {"id": ONE, "name": "Leave", "knowledge_base": "hr"})
    fake.finds("question", "0000", {"id": ONE, "name": "", "knowledge_base": "hr"})
    fake.on(f"POST /api/v1/batches/{ONE}/pause", {"id": ONE, "state": "paused"}, 202)
    fake.on(f"GET /api/v1/knowledge-bases/hr/documents?batch={ONE}", {"items": []})
    fake.on(f"GET /api/v1/conversations/{ONE}", whole(ConversationDetail, id=ONE, title="Leave"))
    fake.problem(f"GET /api/v1/audit/questions/{ONE}", 404, "There is none.")
    assert holdfast("batch", "pause", "scans").exit_code == 0
    assert holdfast("ls", "--kb", "hr", "--batch", "scans").exit_code == 0
    assert holdfast("conversation", "show", "Leave").exit_code == 0
    assert holdfast("audit", "question", "0000").stderr == "There is none.\n"


# --- confirmations ---------------------------------------------------------------------------------


def test_with_yes_a_name_has_to_be_whole(fake: FakeApi, holdfast: Holdfast) -> None:
    """Nobody is asked, so a script that misses `report.txt` does not delete `report.txt.bak`."""
    fake.finds("document", "leave", LEAVE)
    fake.finds("document", "leave.pdf", LEAVE)
    fake.finds("document", "00000000", LEAVE)
    fake.on(DELETE, whole(JobAccepted, id=ONE), 202)
    refused = holdfast("rm", "leave", "--yes")
    assert refused.exit_code == 2
    assert "leave.pdf" in refused.stderr
    assert not fake.asked(DELETE)
    assert holdfast("rm", "leave.pdf", "--yes").exit_code == 0
    assert holdfast("rm", "00000000", "--yes").exit_code == 0


def test_nothing_is_deleted_before_everything_is_found(fake: FakeApi, holdfast: Holdfast) -> None:
    """One name that does not exist, or stands for several, leaves all documents where they are."""
    fake.finds("document", "leave.pdf", LEAVE)
    fake.finds("document", "both", LEAVE, OTHER)
    fake.problem("GET /api/v1/documents/gone", 404, "There is no document “gone”.")
    assert holdfast("rm", "leave.pdf", "gone", "--yes").exit_code == 1
    assert holdfast("rm", "leave.pdf", "both", "--yes").exit_code == 2
    assert not fake.asked(DELETE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rm", "leave.pdf"], "Delete leave.pdf of hr?"),
        (["rm", "leave.pdf", "b.pdf"], "Delete 2 documents of hr (leave.pdf, b.pdf)?"),
        (["kb", "delete", "hr"], "Delete the knowledge base hr and its 12 documents?"),
        (["batch", "cancel", "scans"], "Cancel the batch scans of hr? 3 of its 12 documents are not done."),
        (["conversation", "delete", "Leave"], "Delete the conversation “Leave”? Its 0 questions"),
    ],
)
def test_without_a_terminal_nothing_is_taken_away_unasked(
    fake: FakeApi, holdfast: Holdfast, words: list[str], said: str
) -> None:
    """Exit 2 says what it would be, and how to say yes; nothing but reads has reached the API."""
    fake.finds("document", "leave.pdf", LEAVE)
    fake.finds("document", "b.pdf", LEAVE | {"id": TWO, "name": "b.pdf"})
    fake.finds("batch", "scans", {"id": ONE, "name": "scans", "knowledge_base": "hr"})
    fake.finds("conversation", "Leave", {"id": ONE, "name": "Leave", "knowledge_base": "hr"})
    fake.on("GET /api/v1/knowledge-bases/hr", whole(KnowledgeBaseInfo, name="hr", documents={"total": 12}))
    fake.on(f"GET /api/v1/batches/{ONE}", whole(BatchInfo, name="scans", knowledge_base="hr", done=9, total=12))
    fake.on(f"GET /api/v1/conversations/{ONE}", whole(ConversationDetail, id=ONE, title="Leave"))
    result = holdfast(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "--yes" in result.stderr
    assert json.loads(holdfast(*words, "--json").stdout)["error"]["code"] == "needs-yes"
    assert {each.method for each in fake.requests} == {"GET"}


def test_a_terminal_asks(terminal: Terminal) -> None:
    """`n` and a plain return leave the document, `y` deletes it; a beginning of its name suffices."""
    terminal.fake.finds("document", "lea", LEAVE)
    terminal.fake.on(DELETE, whole(JobAccepted, id=ONE), 202)
    for typed in ("n\n", "\n"):
        kept = terminal.run("rm", "lea", typed=typed, prompt="[y/N]")
        assert "Delete leave.pdf of hr? [y/N]" in kept.text
        assert kept.exit_code == 1
    assert not terminal.fake.asked(DELETE)
    deleted = terminal.run("rm", "lea", typed="y\n", prompt="[y/N]")
    assert (deleted.exit_code, "leave.pdf is being deleted." in deleted.text) == (0, True)
    assert len(terminal.fake.asked(DELETE)) == 1


def test_several_documents_are_deleted_at_once(fake: FakeApi, holdfast: Holdfast) -> None:
    """Each is a job of its own; one that is named twice is deleted once."""
    for id, name in ((ONE, "a.pdf"), (TWO, "b.pdf")):
        fake.finds("document", name, {"id": id, "name": name, "knowledge_base": "hr"})
        fake.on(f"DELETE /api/v1/documents/{id}", whole(JobAccepted, id=id), 202)
    jobs = json.loads(holdfast("rm", "a.pdf", "b.pdf", "a.pdf", "--yes", "--json").stdout)["items"]
    assert [job["id"] for job in jobs] == [ONE, TWO]


def test_a_whole_id_is_named_in_the_question(fake: FakeApi, holdfast: Holdfast) -> None:
    """What is going to be deleted has its name there, however it was addressed."""
    fake.finds("document", ONE, LEAVE)
    fake.on(f"POST /api/v1/documents/{ONE}/cancel", whole(DocumentJob, id=ONE, name="leave.pdf"), 202)
    fake.on(f"GET /api/v1/documents/{ONE}", whole(DocumentInfo, id=ONE))
    fake.routes[f"DELETE /api/v1/documents/{ONE}"] = Reply(b"", 204)
    assert "Delete leave.pdf of hr?" in holdfast("rm", ONE).stderr
    assert holdfast("cancel", ONE).exit_code == 0  # can be retried: nobody is asked


@pytest.mark.endurance
async def test_names_on_the_real_platform(api: httpx.AsyncClient, kb: str, platform: Platform) -> None:
    """Looked up, refused where they are ambiguous, and deleted by the beginning of an id."""
    older, newer = await ready(api, kb, ("leave-2023.txt", b"Five days."), ("leave-2024.txt", b"Six days."))
    assert platform.holdfast("status", newer["name"], "--kb", kb).stdout == "ready\n"
    ambiguous = platform.holdfast("status", "leave-", "--kb", kb)
    assert ambiguous.returncode == 2
    assert all(document["id"] in ambiguous.stderr for document in (older, newer))
    beginning = older["id"][:-1]
    refused = platform.holdfast("rm", beginning, "--kb", kb)
    assert (refused.returncode, f"Delete {older['name']} of {kb}?" in refused.stderr) == (2, True)
    assert platform.holdfast("rm", beginning, "--kb", kb, "--yes").returncode == 0
    assert (await api.get(f"/documents/{older['id']}")).status_code == 404
