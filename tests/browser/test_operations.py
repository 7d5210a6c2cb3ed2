"""The operations page: for whom it is, that it agrees with the API, and what it says when something is wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from api.operations.schemas import (
    DependencyHealth,
    FailureInfo,
    JobCountInfo,
    JobInfo,
    JobsInfo,
    NotStartedInfo,
    OperationsInfo,
    ProblemInfo,
    QueueInfo,
    ThroughputInfo,
)
from tests.api.cli.fake_api import whole
from tests.browser.walk import READY_MS, Page, Platform, enter, expect, file, languages, overflow, sign_in

AT = "2026-05-01T12:00:00Z"


def operations(page: Page) -> None:
    """Go to the page by its link."""
    page.locator("#operations-link").click()
    expect(page.locator("#ops-body")).to_be_visible()


def answered(page: Page, snapshot: dict[str, Any]) -> None:
    """Let the page get this snapshot from its stream."""
    body = f"event: snapshot\ndata: {json.dumps(snapshot)}\n\n"
    headers = {"Content-Type": "text/event-stream"}
    page.route("**/operations/events", lambda route: route.fulfill(body=body, headers=headers))


def troubled() -> dict[str, Any]:
    """A snapshot of a platform in trouble."""
    minutes = [
        {"at": f"2026-05-01T12:{n:02}:00Z", "ready": n % 3, "chunks": 0, "failed": 0, "asked": 0, "answered": 0,
         "refused": 0, "unanswered": 0} for n in range(60)
    ]  # fmt: skip
    job = whole(
        JobInfo, id="1" * 32, knowledge_base="hr", name="leave.md", state="waiting", started=True,
        since=AT, stage="embed", stage_count=5, done=3, total=9, waiting_for="triton", reason="Triton is away.",
        temporal_url="/run",
    ) | {"kind": "document"}  # fmt: skip
    activity = {"kind": "activity"}  # a name that ``whole`` has itself
    return whole(
        OperationsInfo,
        taken_at=AT,
        temporal_url="/runs",
        dependencies=[
            whole(DependencyHealth, name="triton", since=AT, detail="no answer within 2 s"),
            whole(DependencyHealth, name="milvus", ready=True, since=AT, latency_ms=3.0),
        ],
        jobs=whole(
            JobsInfo,
            counts=[whole(JobCountInfo, total=1201, waiting=1, queued=1200) | {"kind": "document"}],
            not_started=whole(NotStartedInfo, documents=1200, oldest_seconds=7200.0),
            items=[job],
        ),
        queues=[
            whole(QueueInfo, queue="gpu", state="behind", backlog=800, age_seconds=4000.0) | activity,
            whole(QueueInfo, queue="cpu", state="unattended", backlog=80, age_seconds=5.0) | activity,
        ],
        throughput=whole(ThroughputInfo, minutes=minutes, ready=60),
        failures=[
            whole(FailureInfo, code="empty", documents=7, text="The file is empty.", example="a.txt", first_at=AT,
                  last_at=AT, knowledge_bases=[{"name": "hr", "documents": 4}, {"name": "it", "documents": 3}]),
        ],
        generations=None,
        problems=[whole(ProblemInfo, part="generations", detail="The database does not answer.")],
    )  # fmt: skip


def test_it_is_for_those_who_operate_the_platform(page: Page, platform: Any) -> None:
    """Others see no link, and at its address why they see nothing."""
    made = platform.holdfast("key", "create", "--subject", "rita", "--role", "reader", "--json")
    sign_in(page, json.loads(made.stdout)["key"])
    page.goto(f"{platform.url}#/operations")
    expect(page.locator("#ops-denied")).to_be_visible()
    expect(page.locator("#operations-link")).to_be_hidden()
    expect(page.locator("#ops-body")).to_be_hidden()


def snapshot(platform: Platform) -> dict[str, Any]:
    """What the API says now."""
    headers = {"Authorization": f"Bearer {platform.key}"}
    answer = httpx.get(f"{platform.url}/api/v1/operations", headers=headers, trust_env=False, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


def failed_empty(found: dict[str, Any]) -> str:
    """The number of documents that failed because they are empty."""
    return next((str(each["documents"]) for each in found["failures"] if each["code"] == "empty"), "")


@languages
def test_its_numbers_are_those_of_the_api(page: Page, platform: Platform, language: str) -> None:
    """Sums, groups, indexes; a retry starts where the page offers it. Narrow windows need no sideways scrolling."""
    kb = enter(page, platform, language)
    page.locator("#files").set_input_files([file("empty.txt", ""), file("leave.txt", "Leave is 30 days.")])
    expect(page.locator('.doc[data-state="failed"]')).to_have_count(1, timeout=READY_MS)
    expect(page.locator('.doc[data-state="ready"]')).to_have_count(1, timeout=READY_MS)
    operations(page)
    expect(page.locator("#ops-generations tr").filter(has_text=kb)).to_have_count(1)
    group = page.locator('.ops-failure[data-code="empty"]')
    found = snapshot(platform)
    while group.locator(".ops-number").inner_text() != failed_empty(found):  # both change while documents are retried
        page.wait_for_timeout(100)
        found = snapshot(platform)
    expect(page.locator("#ops-queues > li")).to_have_count(len(found["queues"]))
    expect(page.locator("#ops-health > li")).to_have_count(len(found["dependencies"]))
    expect(page.locator("#ops-throughput svg")).to_have_count(2)
    page.set_viewport_size({"width": 390, "height": 800})
    assert overflow(page) <= 0
    select = group.locator("select")
    if select.is_visible():
        select.select_option(kb)
    group.get_by_role("button").click()
    expect(page.locator("#ops-retried")).to_contain_text({"en": "failed for empty", "zh": "因 empty 失败"}[language])
    run = re.escape(f"{found['temporal_url']}/retry-failures%2Fempty%2F")
    expect(page.locator("#ops-retried a")).to_have_attribute("href", re.compile(run))


@pytest.mark.endurance
def test_what_is_wrong_is_seen(page: Page, platform: Platform) -> None:
    """A dependency that is down, a queue that is behind or unattended, a job that waits, a part that is missing."""
    answered(page, troubled())
    sign_in(page, platform.key)
    operations(page)
    expect(page.locator("#ops-problems")).to_have_text("Indexes: The database does not answer.")
    triton = page.locator('.ops-dependency[data-ready="false"]')
    expect(triton).to_contain_text("no answer within 2 s")
    expect(page.locator('.ops-dependency[data-ready="true"]')).to_contain_text("3 ms")
    behind, unattended = page.locator("#ops-queues > li").all()
    expect(behind).to_contain_text("Behind")
    expect(behind).to_contain_text("800 waiting")
    expect(unattended).to_contain_text("No worker")
    shares = [bar.evaluate("bar => bar.value / bar.max") for bar in page.locator("#ops-queues progress").all()]
    assert shares == pytest.approx([1.0, 0.1])
    expect(page.locator("#ops-not-started")).to_have_text("1,200 documents accepted and not begun, the oldest for 2 hr")
    job = page.locator("#ops-jobs tr")
    expect(job).to_contain_text("Triton is away.")
    expect(job).to_contain_text("3 of 9")
    expect(page.locator('.ops-failure option[value="it"]')).to_have_text("it (3)")
    charts = page.get_by_role("img")
    expect(charts.first).to_have_attribute(
        "aria-label", "Documents in each minute: 60 ready, 0 failed in all, at most 2 in one"
    )
    expect(page.locator(".ops-bar-ready")).to_have_count(40)
