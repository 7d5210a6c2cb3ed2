"""Takes the pictures of the READMEs: ``python -m tests.browser.pictures [en] [zh]`` writes those of a language.

They are ``docs/pictures/<what>.<language>.webp``. Each language has a platform of its own with people, a group,
documents of which one fails, and a question.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM
from tests.browser.walk import READY_MS, Page, ask, expect
from tests.conftest import ROOT, Platform, running_platform

FOLDER = ROOT / "docs" / "pictures"
SIZE = (1200, 800)
QUALITY = 82
PASSWORD = "correct horse battery"  # of people that exist for a picture


class Scene(NamedTuple):
    """What is to be seen in one language."""

    locale: str
    title: str
    document: str
    text: str
    question: str
    group: str
    people: dict[str, str]
    """Display names; the first administers, the second is a manager, the last leaves."""


SCENES = {
    "en": Scene(
        locale="en-US",
        title="Staff handbook",
        document="leave-policy.md",
        text="# Leave\n\nEverybody has 30 days of leave in a year. Five unused days can be carried over until "
        "31 March.\n\n# Sickness\n\nA doctor's note is needed from the fourth day on.",
        question="How many unused days of leave can be carried over?",
        group="staff",
        people={"ada": "Ada Okafor", "mei": "Mei Lin", "tom": "Tom Berg", "rita": "Rita Sousa"},
    ),
    "zh": Scene(
        locale="zh-CN",
        title="员工手册",
        document="休假制度.md",
        text="# 年假\n\n每位员工每年有 30 天年假。未休的年假最多可以结转 5 天，须在次年 3 月 31 日前休完。\n\n"
        "# 病假\n\n从第四天起须提交医生证明。",
        question="未休的年假最多可以结转几天？",
        group="staff",
        people={"ada": "欧阳静", "mei": "林美", "tom": "赵明", "rita": "周雨"},
    ),
}


def prepare(platform: Platform, scene: Scene) -> None:
    """People with passwords and grants, a knowledge base, documents of which one fails, and a refused request."""
    url, headers = f"{platform.url}/api/v1", {"Authorization": f"Bearer {platform.key}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as api:

        def send(method: str, path: str, **sent: object) -> httpx.Response:
            answer = api.request(method, path, **sent)  # type: ignore[arg-type]
            return answer.raise_for_status()

        for name, shown in scene.people.items():
            send("POST", "/users", json={"name": name, "display_name": shown})
            token = send("POST", f"/users/{name}/invitation").json()["token"]
            send("POST", "/auth/invitations/accept", json={"token": token, "password": PASSWORD})
        admin, manager, *_, leaves = scene.people
        send("PATCH", f"/users/{admin}", json={"roles": ["admin"]})
        send("POST", "/groups", json={"name": scene.group})
        for name in scene.people:
            send("PUT", f"/groups/{scene.group}/members/{name}")
        send("POST", "/knowledge-bases", json={"name": "handbook", "title": scene.title})
        send("PUT", f"/knowledge-bases/handbook/grants/user/{manager}", json={"role": "manager"})
        send("PUT", f"/knowledge-bases/handbook/grants/group/{scene.group}", json={"role": "reader"})
        send("PATCH", f"/users/{leaves}", json={"disabled": True})
        files = [("files", (scene.document, scene.text.encode())), ("files", ("scan-0417.pdf", b""))]
        send("POST", "/knowledge-bases/handbook/documents", files=files)
        api.post("/auth/token", json={"username": manager, "password": "not the password"})


@contextmanager
def opened(browser: Browser, url: str, scene: Scene) -> Iterator[Page]:
    """A page in the scene's language."""
    viewport = {"width": SIZE[0], "height": SIZE[1]}
    context = browser.new_context(locale=scene.locale, viewport=viewport, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


def take(page: Page, what: str, language: str) -> None:
    """Save what is visible."""
    page.wait_for_timeout(600)  # fonts, and figures that come with the next event of a stream
    page.evaluate("document.activeElement?.blur()")
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").save(FOLDER / f"{what}.{language}.webp", quality=QUALITY, method=6)


def take_all(browser: Browser, platform: Platform, language: str) -> None:
    """The pictures of one language, as the administrator sees the pages."""
    scene = SCENES[language]
    with opened(browser, platform.url, scene) as page:
        expect(page.locator("#username")).to_be_visible()
        take(page, "sign-in", language)
        page.locator("#username").fill(next(iter(scene.people)))
        page.locator("#password").fill(PASSWORD)
        page.locator("#sign-in-submit").click()
        expect(page.locator("#choose-title")).to_be_visible()
        page.goto(f"{platform.url}/#/kb/handbook/documents")
        for state in ("ready", "failed"):
            expect(page.locator(f'.doc[data-state="{state}"]')).to_have_count(1, timeout=READY_MS)
        page.goto(f"{platform.url}/#/kb/handbook/ask")
        ask(page, scene.question)
        take(page, "answer", language)
        page.goto(f"{platform.url}/#/people")
        expect(page.locator("#people-title")).to_be_visible()
        take(page, "people", language)
        page.goto(f"{platform.url}/#/kb/handbook/access")
        expect(page.locator(".grant")).to_have_count(2)
        take(page, "access", language)
        page.goto(f"{platform.url}/#/audit")
        expect(page.locator(".audit-events > li").first).to_be_visible()
        take(page, "audit", language)
        page.goto(f"{platform.url}/#/operations")
        expect(page.locator(".ops-failure")).to_have_count(1, timeout=READY_MS)
        take(page, "operations", language)


def main(languages: list[str]) -> None:
    """Take the pictures of these languages."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        for language in languages:
            with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder)) as platform:
                prepare(platform, SCENES[language])
                take_all(browser, platform, language)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:] or list(SCENES))
