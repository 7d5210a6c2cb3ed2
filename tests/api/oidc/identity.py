"""A real OpenID Connect provider (npm's certified oidc-provider), and a browser's way through its forms.

The packages that ``provider/package-lock.json`` names are installed once into a cache folder.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.ports import free_port

HERE = Path(__file__).parent / "provider"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "holdfast-tests"
CLIENT_ID, SECRET = "holdfast", "a secret: %/+&=~"
INSTALL_SECONDS = 120


def installed() -> Path:
    """The folder with the provider's packages; without Node the tests are skipped, except in CI, where they fail."""
    if not shutil.which("npm"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Node.js with npm is missing")
    names = ("package.json", "package-lock.json", ".npmrc", "server.js")
    key = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in names)).hexdigest()[:16]
    folder = CACHE / f"oidc-provider-{key}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(HERE / name, folder)
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    return folder


@contextmanager
def running_provider(page_url: str, people: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A provider with one client, whose page is at this address; its issuer."""
    port = free_port()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "redirect_uris": [f"{page_url}/api/v1/auth/oidc/callback"],
        "post_logout_redirect_uris": [f"{page_url}/"],
        "backchannel_logout_uri": f"{page_url}/api/v1/auth/oidc/backchannel-logout",
        "backchannel_logout_session_required": True,
    }
    config = json.dumps({"port": port, "client": client, "people": people})
    process = subprocess.Popen(
        ["node", "server.js", config], cwd=installed(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.strip() == "ready":
                break
        else:
            pytest.fail("".join(lines))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def signed_in_at(browser: httpx.Client, url: str, person: str) -> httpx.Response:
    """Go through the provider's forms as a person; the answer that leads back to us, not followed."""
    response = browser.get(url)
    while True:
        if response.is_redirect:
            target = urljoin(str(response.url), response.headers["location"])
            if "code=" in target or "error=" in target:
                return response
            response = browser.get(target)
            continue
        response.raise_for_status()
        form = re.search(r'<form[^>]* action="([^"]+)"', response.text)
        assert form, response.text
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', response.text))
        if 'name="login"' in response.text:
            fields |= {"login": person, "password": "any"}
        response = browser.post(urljoin(str(response.url), html.unescape(form[1])), data=fields)
