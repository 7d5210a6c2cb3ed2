"""Schedules as people read them."""

from __future__ import annotations

import pytest

from activities.contracts.schedules import Timing
from api.schedules.views import when

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("timing", "en", "zh"),
    [
        (Timing(every_minutes=1), "every minute", "每分钟"),
        (Timing(every_minutes=90), "every 90 minutes", "每 90 分钟"),
        (Timing(every_minutes=120), "every 2 hours", "每 2 小时"),
        (Timing(every_minutes=1440), "every day", "每天一次"),
        (Timing(cron="5 2 * * *", time_zone=BERLIN), f"daily at 02:05 ({BERLIN})", f"每天 02:05（{BERLIN}）"),
        (Timing(cron="0 2 * * 0,1"), "Monday, Sunday at 02:00 (UTC)", "每逢周一、周日 02:00（UTC）"),
        (Timing(cron="0 2 * * mon-fri"), "Monday to Friday at 02:00 (UTC)", "周一至周五 02:00（UTC）"),
        (Timing(cron="30 23 1 * *"), "on day 1 of each month at 23:30 (UTC)", "每月 1 日 23:30（UTC）"),
        (Timing(cron="*/5 2 * * *"), "as */5 2 * * * says (UTC)", "按 */5 2 * * *（UTC）"),
        (Timing(cron="0 2 13 * 5"), "as 0 2 13 * 5 says (UTC)", "按 0 2 13 * 5（UTC）"),
    ],
)
def test_a_time_is_told_in_words(timing: Timing, en: str, zh: str) -> None:
    """In both languages; what would take many words is left as it is."""
    assert (when(timing, "en"), when(timing, "zh")) == (en, zh)
