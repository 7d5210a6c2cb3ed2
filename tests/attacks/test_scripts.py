"""Documents that attack the page that shows them: markup that would run."""

from __future__ import annotations

import uuid

import httpx

from tests.browser.conftest import browser, page
from tests.browser.walk import READY_MS, Page, Platform, ask, expect, sign_in

__all__ = ["browser", "page"]  # fixtures

#: What would set ``window.ran`` if it came into the page as markup, a link or a style.
MARKUP = [
    "<script>window.ran=1</script>",
    "<img src=x onerror='window.ran=1'>",
    "<svg onload='window.ran=1'>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<a href='javascript:window.ran=1'>lynx</a>",
    "[lynx](javascript:window.ran=1)",
    "![lynx](x\" onerror=\"window.ran=1)",
    "<details open ontoggle='window.ran=1'>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=window.ran=1&gt;\">",
    "\"><img src=x onerror=window.ran=1>",
    "{{constructor.constructor('window.ran=1')()}}",
]  # fmt: skip


def wicked() -> str:
    """All of it as the text of a document."""
    return "# Lynx <img src=x onerror='window.ran=1'>\n\n" + "\n\n".join(
        f"The lynx number {n} eats {n} rabbits daily {each}." for n, each in enumerate(MARKUP, 2)
    )


def test_no_script_of_a_document_runs(page: Page, platform: Platform) -> None:
    """In names, titles, headings, tags, cells, answers and addresses: it is shown as text, or not at all.

    The fixture fails the test on any report of the security policy, so nothing has even tried.
    """
    name, headers = f"page-{uuid.uuid4().hex[:8]}", {"Authorization": f"Bearer {platform.key}"}
    rows = "animal,food\n" + "\n".join(f'"{each.replace(chr(34), chr(34) * 2)}",rabbits' for each in MARKUP)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    with httpx.Client(base_url=f"{platform.url}/api/v1", headers=headers, trust_env=False, timeout=60) as api:
        described = {"name": name, "title": MARKUP[1], "description": MARKUP[0]}
        assert api.post("/knowledge-bases", json=described).status_code == 201
        files = [("files", ("<img src=x onerror=window.ran=1>.md", wicked())), ("files", ("table.csv", rows))]
        form = {"files": files, "params": {"tags": "<img src=x onerror=window.ran=1>"}}
        assert api.post(f"/knowledge-bases/{name}/documents", **form).status_code == 202  # type: ignore[arg-type]
        sign_in(page, platform.key)
        page.goto(f"{platform.url}/#/kb/{name}/documents")
        for row in range(2):
            expect(page.locator(".doc").nth(row)).to_have_attribute("data-state", "ready", timeout=READY_MS)
        for question in ("How many rabbits does lynx number 3 eat daily?", MARKUP[1]):
            page.goto(f"{platform.url}/#/kb/{name}/ask")
            ask(page, question)
        page.goto(f"{platform.url}/#/kb/{MARKUP[1]}/documents")
        page.goto(f"{platform.url}/#/kb/{name}/documents")
        expect(page.locator(".doc").first).to_be_visible()
        assert page.evaluate("window.ran") is None
        assert dialogs == []
        api.delete(f"/knowledge-bases/{name}")


def test_a_browser_watches_by_a_socket(page: Page, platform: Platform) -> None:
    """With its key as a subprotocol, as it cannot set a header; never in the address."""
    name, headers = f"page-{uuid.uuid4().hex[:8]}", {"Authorization": f"Bearer {platform.key}"}
    with httpx.Client(base_url=f"{platform.url}/api/v1", headers=headers, trust_env=False, timeout=60) as api:
        assert api.post("/knowledge-bases", json={"name": name}).status_code == 201
        files = [("files", ("leave.txt", b"Five days of unused leave can be carried over."))]
        (document,) = api.post(f"/knowledge-bases/{name}/documents", files=files).json()["documents"]
        watch = """([id, key]) => new Promise((resolve) => {
            const states = [];
            const address = `${location.origin.replace('http', 'ws')}/api/v1/documents/${id}/ws`;
            const socket = new WebSocket(address, ['holdfast', `holdfast.key.${key}`]);
            socket.onmessage = (message) => states.push(JSON.parse(message.data).state);
            socket.onclose = (event) => resolve([socket.protocol, event.code, states.at(-1) ?? null]);
        })"""
        assert page.evaluate(watch, [document["id"], platform.key]) == ["holdfast", 1000, "ready"]
        api.delete(f"/knowledge-bases/{name}")
