"""The page for people: signing in by password and by a real provider, access, and signing out from the provider.

Nothing is indexed here, so that only the API and the provider run.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from argon2 import PasswordHasher

from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.people.records import NewUser
from tests.api.oidc.identity import CLIENT_ID, SECRET, running_provider
from tests.browser.conftest import STEP_MS, is_error
from tests.browser.test_accessible import violations
from tests.browser.walk import Page, expect, overflow
from tests.ports import free_port
from tests.stores.catalog.conftest import created

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PASSWORD = "correct horse battery"
START_SECONDS = 120


class Site:
    """An API with a provider, and the administrator's password."""

    def __init__(self, url: str, issuer: str) -> None:
        self.url, self.issuer = url, issuer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    url = f"http://127.0.0.1:{free_port()}"
    people = {"ana": {"name": "Ana Li", "groups": ["staff"]}}
    with running_provider(url, people) as issuer:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")} | {
            "HOLDFAST_DATA": str(tmp_path_factory.mktemp("site")),
            "HOLDFAST_API_PORT": url.rpartition(":")[2],
            "HOLDFAST_OIDC_ISSUER": issuer,
            "HOLDFAST_OIDC_CLIENT_ID": CLIENT_ID,
            "HOLDFAST_OIDC_CLIENT_SECRET": SECRET,
            "HOLDFAST_OIDC_NAME": "Example SSO",
        }
        with ThreadPoolExecutor(1) as beside:  # Playwright has a loop in this thread
            beside.submit(asyncio.run, _prepare(environ)).result()
        with _serving(url, environ):
            yield Site(url, issuer)


async def _prepare(environ: dict[str, str]) -> None:
    """An administrator with a password, and a knowledge base that a group of the provider may read."""
    settings = load({name: value for name, value in environ.items() if name.startswith("HOLDFAST_")})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    root = NewUser(name="root", display_name="Ro Ot", roles=("admin",), password_hash=PasswordHasher().hash(PASSWORD))
    await catalog.users.create(root, "test")
    for name in ("handbook", "secret"):
        await created(catalog, name)
    await catalog.close()


@contextmanager
def _serving(url: str, environ: dict[str, str]) -> Iterator[None]:
    log = Path(environ["HOLDFAST_DATA"]) / "api.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.app"], env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_live(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(log.read_text())
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _is_live(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live").is_success
    except httpx.HTTPError:
        return False


@contextmanager
def visitor(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """A page of a browser of its own; fails on any error of the page."""
    context = browser.new_context(**({"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | options))
    context.set_default_timeout(STEP_MS)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if is_error(line.type, line.text) else None)
    page.goto(url)
    yield page
    context.close()
    assert errors == []


def enter(page: Page, name: str, password: str) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Knowledge bases", exact=True)).to_be_visible()


def by_provider(page: Page, site: Site, person: str) -> None:
    """Through the provider's own forms."""
    page.get_by_role("button", name="Continue with Example SSO").click()
    page.locator('[name="login"]').fill(person)
    page.locator('[name="password"]').fill("any")
    page.locator('button[type="submit"]').click()
    page.locator('button[type="submit"]').click()  # consent
    expect(page.get_by_role("heading", name="Knowledge bases", exact=True)).to_be_visible()


def test_a_person_of_the_company_sees_what_its_group_may_see(browser: Browser, site: Site) -> None:
    """Sign in at the provider; a grant to the group there opens one knowledge base; signing out there ends it here."""
    with visitor(browser, site.url) as ana, visitor(browser, site.url) as root:
        by_provider(ana, site, "ana")
        expect(ana.locator("#account-name")).to_have_text("Ana Li")
        expect(ana.locator("#kbs .kb")).to_have_count(0)
        expect(ana.locator("#people-link")).to_be_hidden()

        enter(root, "root", PASSWORD)
        root.goto(f"{site.url}/#/kb/handbook/access")
        root.get_by_label("To a").select_option("group")
        root.locator("#access-form").get_by_label("Name").fill("staff")
        root.get_by_role("button", name="Give access").click()
        expect(root.locator('.grant[data-name="staff"]')).to_be_visible()

        ana.reload()  # the session is that of the browser
        expect(ana.locator("#kbs .kb")).to_have_count(1)
        second = ana.context.new_page()
        second.goto(f"{site.url}/#/kb/handbook/documents")
        expect(second.locator("#where-name")).to_have_text("A title")
        expect(second.locator("#side-access")).to_be_hidden()

        second.goto(f"{site.issuer}/session/end")
        second.locator('button[value="yes"], button[type="submit"]').first.click()
        expect(ana.locator("#sign-in-problem")).to_contain_text("signed out", timeout=STEP_MS)
        ana.reload()
        expect(ana.get_by_label("User name")).to_be_visible()


def test_an_invited_person_chooses_a_password(browser: Browser, site: Site) -> None:
    """The link of an invitation works once; a new password ends the other sessions; a disabled user is signed out."""
    with visitor(browser, site.url) as root, visitor(browser, site.url) as bo:
        enter(root, "root", PASSWORD)
        root.locator("#people-link").click()
        form = root.locator("#view-people form").first
        form.get_by_label("User name").fill("bo")
        form.get_by_role("button", name="Add user").click()
        link = root.locator(".secret input").input_value()
        assert violations(root) == []

        bo.goto(link)
        bo.reload()
        bo.locator("#invited").fill("short")
        bo.get_by_role("button", name="Set password").click()
        expect(bo.get_by_role("alert")).to_contain_text("12 characters")
        for id in ("invited", "invited-again"):
            bo.locator(f"#{id}").fill(PASSWORD)
        bo.get_by_role("button", name="Set password").click()
        expect(bo.get_by_role("heading", name="Knowledge bases", exact=True)).to_be_visible()
        with visitor(browser, link) as late:
            for id in ("invited", "invited-again"):
                late.locator(f"#{id}").fill(PASSWORD)
            late.get_by_role("button", name="Set password").click()
            expect(late.get_by_role("alert")).to_contain_text("was used")

        bo.locator("#account-open").click()
        bo.get_by_role("button", name="Change password").click()
        bo.get_by_label("Present password").fill(PASSWORD)
        for label in ("New password", "New password again"):
            bo.locator("#password-dialog").get_by_label(label, exact=True).fill(f"{PASSWORD} 2")
        bo.locator("#password-save").click()
        expect(bo.locator(".notice.good")).to_contain_text("changed")

        root.get_by_role("button", name="Actions for bo").click()
        root.get_by_role("menuitem", name="Disable").click()
        root.locator("#confirm-yes").click()
        expect(bo.locator("#sign-in-problem")).to_contain_text("signed out", timeout=STEP_MS)


def test_the_pages_fit_a_phone_in_chinese(browser: Browser, site: Site) -> None:
    """People, keys and access; nothing is wider than the screen, and nothing serious is found by axe."""
    phone = {"locale": "zh-CN", "viewport": {"width": 320, "height": 700}, "color_scheme": "dark"}
    with visitor(browser, site.url, **phone) as page:
        assert violations(page) == []
        page.locator("#username").fill("root")
        page.locator("#password").fill(PASSWORD)
        page.locator("#sign-in-submit").click()
        expect(page.locator("#choose-title")).to_be_visible()
        for place, shown in (("people", "people"), ("kb/handbook/access", "access")):
            page.goto(f"{site.url}/#/{place}")
            expect(page.locator(f"#{shown}-title")).to_be_visible()
            expect(page.locator("form.card:visible").first).to_be_visible()
            assert overflow(page) <= 0
            assert violations(page) == []
        page.locator("#account-open").click()
        page.locator("#sign-out").click()
        expect(page.locator("#username")).to_be_focused()
