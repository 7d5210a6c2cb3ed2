"""Webhooks on the page, in a real browser, with a real receiver."""

from __future__ import annotations

from tests.browser.test_accessible import violations
from tests.browser.walk import READY_MS, Page, enter, expect, languages, overflow
from tests.conftest import Platform
from tests.receiver import receiving

WORDS = {
    "en": {
        "new": "New webhook",
        "url": "Address",
        "kb": "Knowledge base",
        "batch": "Batch finished",
        "create": "Create webhook",
        "private": "has no public address",
        "secret": "The secret that signs",
        "test": "Send a test",
        "delivered": "Delivered",
        "again": "Send again",
        "change": "Change",
        "save": "Save",
        "disable": "Disable",
        "enable": "Enable",
        "disabled": "Disabled by a person",
        "rotate": "Replace the secret",
        "previous": "the secret before signs too until",
        "delete": "Delete",
    },
    "zh": {
        "new": "新建 Webhook",
        "url": "地址",
        "kb": "知识库",
        "batch": "批次结束",
        "create": "创建 Webhook",
        "private": "没有公网地址",
        "secret": "签名密钥。",
        "test": "发送测试",
        "delivered": "已送达",
        "again": "重新发送",
        "change": "更改",
        "save": "保存",
        "disable": "停用",
        "enable": "启用",
        "disabled": "被人工停用",
        "rotate": "更换密钥",
        "previous": "前仍同时签名",
        "delete": "删除",
    },
}


@languages
def test_a_webhook_is_added_tested_and_deleted(page: Page, platform: Platform, language: str) -> None:
    """Its secret, shown once, verifies what arrives; a refused address stays in the form. Chinese on a phone."""
    words = WORDS[language]
    if language == "zh":
        page.set_viewport_size({"width": 390, "height": 800})
    kb = enter(page, platform, language)
    page.goto(f"{platform.url}#/")
    page.locator("#webhooks-link").click()
    form, secret = page.locator(".schedule-form"), page.locator(".secret input")
    with receiving() as receiver:
        page.get_by_role("button", name=words["new"]).click()
        url = form.get_by_label(words["url"], exact=True)
        url.fill("https://10.0.0.1/hook")
        form.get_by_label(words["kb"], exact=True).select_option(kb)
        form.get_by_label(words["batch"]).check()
        form.get_by_role("button", name=words["create"]).click()
        expect(form.locator(".problem")).to_contain_text(words["private"])
        expect(url).to_be_focused()
        assert violations(page) == []
        assert overflow(page) <= 0
        url.fill(receiver.url)
        form.get_by_role("button", name=words["create"]).click()
        expect(secret).to_be_focused()
        key = secret.input_value()
        row = page.locator(".webhook").filter(has_text=receiver.url)
        expect(row.locator(".doc-facts")).to_contain_text(words["batch"])
        row.locator("summary").click()
        row.get_by_role("button", name=words["test"]).click()
        expect(row.locator(".schedule-runs .pill")).to_have_text(words["delivered"], timeout=READY_MS)
        assert receiver.messages[0].verified(key)["type"] == "webhook.test"
        assert violations(page) == []
        assert overflow(page) <= 0
        row.get_by_role("button", name=words["again"]).click()
        page.wait_for_function("document.querySelectorAll('.notice').length > 0")
        row.get_by_role("button", name=words["rotate"]).click()
        page.locator("#confirm-yes").click()
        expect(row.locator(".doc-facts")).to_contain_text(words["previous"])
        assert secret.input_value() != key
        row.get_by_role("button", name=words["change"], exact=True).click()
        expect(form.get_by_label(words["batch"])).to_be_checked()
        form.get_by_label(words["batch"]).uncheck()
        form.get_by_role("button", name=words["save"]).click()
        expect(row.locator(".doc-facts")).not_to_contain_text(words["batch"])
        row.get_by_role("button", name=words["disable"], exact=True).click()
        expect(row.locator(".doc-reason")).to_contain_text(words["disabled"])
        expect(row.get_by_role("button", name=words["test"])).to_have_count(0)
        row.get_by_role("button", name=words["enable"], exact=True).click()
        expect(row.locator(".doc-reason")).to_have_count(0)
        row.get_by_role("button", name=words["delete"], exact=True).click()
        page.locator("#confirm-yes").click()
        expect(row).to_have_count(0)
