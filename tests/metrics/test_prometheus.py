"""A real Prometheus reads a running platform: every query of every dashboard finds series."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from activities.stores.triton import ChatMessage, Triton
from api.stack.ports import WORKERS
from tests.conftest import METRICS_TOKEN, Platform, ask, assert_eventually, ready
from tests.metrics.queries import DASHBOARDS, PROMETHEUS, names, queries
from tests.ports import free_port

#: Metrics of what the platform of the tests does not have: a GPU, a Milvus with etcd.
ELSEWHERE = ("nv_gpu_", "milvus_", "etcd_")

#: What stands in names that people gave, in texts and in ids, and therefore in no label.
PERSONAL = re.compile(r"annual|leave|carry|handbook|test-[0-9a-f]{12}|[0-9a-f]{24,}", re.IGNORECASE)


def configuration(platform: Platform, folder: Path, own: int) -> Path:
    """The configuration of docker-compose.yml with the addresses of this platform, scraping every other second."""
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"}
    config["rule_files"] = [str(PROMETHEUS / "rules.yml")]
    log = (platform.settings.data_dir / "logs" / "temporal.log").read_text()
    temporal = re.findall(r"Metrics:\s+http://([\w.]+:\d+)", log)[-1:]
    first = platform.settings.metrics.port
    targets = {
        "api": [platform.url.removeprefix("http://")],
        "workers": [f"127.0.0.1:{first + number}" for number in range(len(WORKERS))],
        "triton": [f"127.0.0.1:{platform.settings.triton.metrics_port}"],
        "temporal": temporal,
        "prometheus": [f"127.0.0.1:{own}"],
    }
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in targets]
    assert {job["job_name"] for job in jobs} == targets.keys()
    (folder / "token").write_text(METRICS_TOKEN)
    for job in jobs:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": targets[job["job_name"]]}]
        if "authorization" in job:
            job["authorization"] = {"credentials_file": str(folder / "token")}
    config["scrape_configs"] = jobs
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture
def scraping(platform: Platform, prometheus: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a Prometheus that scrapes the platform."""
    port = free_port()
    argv = [prometheus, f"--config.file={configuration(platform, tmp_path, port)}", "--log.level=warn"]
    argv += [f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    log = tmp_path / "log"
    with log.open("w") as output, subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False, timeout=30) as client:
            yield client
        process.terminate()


async def test_every_query_of_every_dashboard_finds_series(
    scraping: httpx.Client, platform: Platform, api: httpx.AsyncClient, kb: str, triton: Triton
) -> None:
    """After one document, one question and one generated text; and no label holds a text, an id or a name."""
    await ready(api, kb, ("annual-leave.txt", b"Employees may carry over five days of unused annual leave."))
    events = await ask(api, kb, "How many days of annual leave may employees carry over?")
    assert events[-1][0] == "done"
    said = [ChatMessage("user", "The sky is")]
    pieces = [piece async for piece in triton.generate(said, {"max_tokens": 4})]
    assert pieces
    wanted = {
        query: f"{dashboard.stem}: {query}"
        for dashboard in DASHBOARDS
        for query in queries(dashboard)
        if not any(name.startswith(ELSEWHERE) for name in names(query))
    }
    assert len(wanted) > 60

    async def missing() -> list[str] | None:
        await api.get("/knowledge-bases")
        found = {query: scraping.get("/query", params={"query": query}).json() for query in wanted}
        assert all(answer["status"] == "success" for answer in found.values()), found
        empty = [wanted[query] for query, answer in found.items() if not answer["data"]["result"]]
        still.clear()
        still.extend(empty)
        return None if empty else ["none"]

    still: list[str] = []
    try:
        await assert_eventually(missing, 60, 1)
    except AssertionError:
        pytest.fail(f"no series for {still}")
    shown = scraping.get("/series", params={"match[]": '{__name__=~"holdfast_.*|temporal_.*"}'}).json()["data"]
    assert len(shown) > 200
    assert [series for series in shown if PERSONAL.search(" ".join(series.values()))] == []
    rules = scraping.get("/rules").json()["data"]["groups"]
    assert [rule["name"] for group in rules for rule in group["rules"] if rule["health"] == "err"] == []
