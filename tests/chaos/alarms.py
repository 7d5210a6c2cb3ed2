"""The real alert rules fire while a platform is hurt, and resolve when it is well again.

``python -m tests.chaos.alarms`` has a real Prometheus scrape a platform while servers and workers stand still, a
process is killed, strangers try keys and broken files are uploaded. The rules are those of
``deploy/prometheus/rules.yml``, but for their times: ``for:`` and the ranges of their queries are ``FASTER`` times as
short (see ``shortened``), and Prometheus looks every ``INTERVAL`` seconds instead of every 15. Thresholds stay as they
are.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.chaos.clients import Say
from tests.chaos.sites import Part, Site
from tests.conftest import Platform, running_platform
from tests.metrics.queries import PROMETHEUS
from tests.metrics.test_prometheus import configuration
from tests.ports import free_port

#: By how much times are shorter than in the rules.
FASTER = 20

#: Seconds between two looks, and the longest time of one: what the API shows takes as long as a part that stands still.
INTERVAL = 5

#: The shortest range that two samples are sure to be in; in seconds.
SHORTEST = 15

#: How long each fault lasts, and how long alerts may take to resolve, in seconds.
FAULT_SECONDS, RESOLVE_SECONDS = 30, 180

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RANGE = re.compile(r"\[(\d+)([smh])\]")

KNOWLEDGE_BASE = "alarms"


def shortened(rules: str, faster: int = FASTER) -> str:
    """The rules with ``for:`` and ranges of queries shorter by a factor; nothing else is changed.

    ``for: 5m`` becomes 15 s, ``rate(…[10m])`` becomes ``rate(…[30s])``; no range is shorter than ``SHORTEST``.
    """

    def range_of(match: re.Match[str]) -> str:
        return f"[{max(SHORTEST, int(match[1]) * _SECONDS[match[2]] // faster)}s]"

    groups = yaml.safe_load(rules)
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule["expr"] = _RANGE.sub(range_of, rule["expr"])
            rule["for"] = f"{int(rule['for'][:-1]) * _SECONDS[rule['for'][-1]] // faster}s"
    return yaml.safe_dump(groups, allow_unicode=True, sort_keys=False)


@contextmanager
def watching(platform: Platform, folder: Path) -> Iterator[httpx.Client]:
    """A client of a Prometheus that scrapes the platform, with the shortened rules."""
    port, program = free_port(), shutil.which("prometheus")
    if program is None:
        raise RuntimeError("prometheus is not installed (Debian's package prometheus)")
    file = configuration(platform, folder, port)
    config: dict[str, Any] = yaml.safe_load(file.read_text())
    every = f"{INTERVAL}s"
    config["global"] = {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": "1s"}
    (folder / "rules.yml").write_text(shortened((PROMETHEUS / "rules.yml").read_text()))
    config["rule_files"] = [str(folder / "rules.yml")]
    file.write_text(yaml.safe_dump(config))
    argv = [program, f"--config.file={file}", "--log.level=warn", f"--storage.tsdb.path={folder / 'data'}"]
    log = folder / "prometheus.log"
    with log.open("w") as output:
        process = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stdout=output, stderr=output)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False, timeout=10) as client:
                yield client
        finally:
            process.terminate()
            process.wait(20)


class Alarms:
    """Which alerts fire when; ``fired`` has the seconds from the first fault to each alert, ``resolved`` to its end."""

    def __init__(self, site: Site, prometheus: httpx.Client, say: Say) -> None:
        self._site, self._prometheus, self._say = site, prometheus, say
        self._platform = site.platforms[0]
        self._began = time.monotonic()
        self.fired: dict[str, float] = {}
        self.resolved: dict[str, float] = {}

    async def go(self) -> None:
        """All faults, one after the other; then wait until no alert fires any more."""
        headers = {"Authorization": f"Bearer {self._platform.key}"}
        base = f"{self._platform.url}/api/v1"
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=5, trust_env=False) as self._api:
            await self._api.post("/knowledge-bases", json={"name": KNOWLEDGE_BASE})
            look = asyncio.create_task(self._look())
            try:
                await self._faults()
                deadline = time.monotonic() + RESOLVE_SECONDS
                while self.fired.keys() - self.resolved.keys() and time.monotonic() < deadline:
                    await asyncio.sleep(1)
            finally:
                look.cancel()

    async def _faults(self) -> None:
        self._say("strangers try keys")
        await self._meanwhile(FAULT_SECONDS, self._try_key)
        self._say("broken files are uploaded")
        await self._upload_broken(16)
        for server in ("milvus", "temporal"):
            self._say(f"{server} stands still")
            with self._site.frozen(server):
                await self._meanwhile(FAULT_SECONDS, self._search)
        for name in ("worker-interactive", "triton"):
            self._say(f"{name} stands still")
            with self._site.frozen(name):
                await self._meanwhile(FAULT_SECONDS, self._ask)
        self._say("the API is killed, again and again")
        for _ in range(5):
            self._site.kill(Part(0, "api"))
            await asyncio.sleep(5)

    async def _meanwhile(self, seconds: float, call: Callable[[], Awaitable[object]]) -> None:
        deadline = time.monotonic() + seconds
        async with asyncio.TaskGroup() as calls:
            while time.monotonic() < deadline:
                calls.create_task(self._whatever_comes(call))
                await asyncio.sleep(0.25)

    async def _whatever_comes(self, call: Callable[[], Awaitable[object]]) -> None:
        with suppress(httpx.TransportError):  # what the platform does not answer is what this is about
            await call()

    async def _try_key(self) -> None:
        await self._api.get("/knowledge-bases", headers={"Authorization": "Bearer holdfast_guessed"})

    async def _search(self) -> None:
        await self._api.post(f"/knowledge-bases/{KNOWLEDGE_BASE}/search", json={"query": "annual leave"})

    async def _ask(self) -> None:
        await self._api.post(f"/knowledge-bases/{KNOWLEDGE_BASE}/questions", json={"question": "How many days?"})

    async def _upload_broken(self, count: int) -> None:
        """Documents that cannot be read, and one that can, which later searches find."""
        form = [("files", (f"{number}.pdf", b"%PDF-1.7\nbroken", "application/pdf")) for number in range(count)]
        form.append(("files", ("leave.txt", b"Employees may carry over five days of annual leave.", "text/plain")))
        path = f"/knowledge-bases/{KNOWLEDGE_BASE}/documents"
        await self._api.post(path, files=form, timeout=60)
        while True:
            counts = (await self._api.get(f"/knowledge-bases/{KNOWLEDGE_BASE}")).json()["documents"]
            if counts.get("failed", 0) + counts.get("ready", 0) > count:
                return
            await asyncio.sleep(0.5)

    async def _look(self) -> None:
        """Note what fires, and what does not any more; an alert that fires again has not resolved."""
        while True:
            try:
                found = await asyncio.to_thread(self._prometheus.get, "/alerts")
                alerts = [each for each in found.json()["data"]["alerts"] if each["state"] == "firing"]
            except httpx.TransportError:
                alerts = []  # Prometheus is starting
            said = {each["labels"]["alertname"]: each["annotations"]["summary"] for each in alerts}
            firing = said.keys()
            seconds = round(time.monotonic() - self._began, 1)
            for name in sorted(firing - self.fired.keys()):
                self.fired[name] = seconds
                self._say(f"{name} fires: {said[name]}")
            for name in sorted(self.fired.keys() & firing & self.resolved.keys()):
                del self.resolved[name]
            for name in sorted(self.fired.keys() - firing - self.resolved.keys()):
                self.resolved[name] = seconds
                self._say(f"{name} is resolved")
            await asyncio.sleep(1)


def main() -> None:
    """Exit status 1 unless at least ``--wanted`` alerts fire, and all resolve."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.alarms", description=__doc__)
    parser.add_argument("--wanted", type=int, default=5)
    wanted: int = parser.parse_args().wanted
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="holdfast-alarms-") as folder:
        data = Path(folder) / "platform"
        data.mkdir()
        with running_platform(data) as platform, watching(platform, Path(folder)) as prometheus:
            say("the platform and Prometheus run")
            alarms = Alarms(Site((platform,)), prometheus, say)
            asyncio.run(alarms.go())
    left = sorted(alarms.fired.keys() - alarms.resolved.keys())
    say(f"{len(alarms.fired)} alerts fired: {', '.join(alarms.fired)}; not resolved: {', '.join(left) or 'none'}")
    sys.exit(len(alarms.fired) < wanted or bool(left))


if __name__ == "__main__":
    main()
