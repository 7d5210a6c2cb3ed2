"""The port of a worker's metrics: for the holder of the token only."""

from __future__ import annotations

import httpx
import pytest

from activities.errors import SettingsError
from activities.settings import MetricsSettings
from activities.telemetry.scraping import is_scraper, serving
from api.stack.processes import port_taken
from tests.ports import free_port

TOKEN = "a-token-for-prometheus"


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_nothing_is_shown_without_the_token(given: str | None) -> None:
    """401, whatever the path."""
    settings = MetricsSettings(token=TOKEN, port=free_port())
    headers = {} if given is None else {"Authorization": given}
    with serving(settings), httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False) as client:
        for path in ("/", "/metrics", "/favicon.ico"):
            answer = client.get(path, headers=headers)
            assert (answer.status_code, answer.content) == (401, b"")
        shown = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert shown.status_code == 200
    assert "holdfast_step_seconds" in shown.text


@pytest.mark.parametrize("settings", [MetricsSettings(token=TOKEN), MetricsSettings(port=free_port())])
def test_without_port_or_token_nothing_is_served(settings: MetricsSettings) -> None:
    """And an empty token is right for nobody."""
    with serving(settings):
        assert not settings.port or not port_taken("127.0.0.1", settings.port)
    assert not is_scraper(MetricsSettings(), "")


def test_a_port_in_use_is_named() -> None:
    """With its setting, by the second worker that wants it."""
    settings = MetricsSettings(token=TOKEN, port=free_port())
    with serving(settings), pytest.raises(SettingsError, match="HOLDFAST_METRICS_PORT"), serving(settings):
        pass
