"""Schedules as the API shows them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from temporalio.client import ScheduleDescription

from activities.contracts.retention import Expired, ExpiredPage
from activities.contracts.schedules import RetentionOptions, Timing
from activities.errors import Language
from activities.phrases import Bilingual
from activities.schedules.timing import parse_cron
from activities.stores.catalog.schedule_records import Schedule, ScheduleRun
from api.schedules.schemas import ExpiredInfo, RetentionPreview, ScheduleInfo, ScheduleRunInfo

#: Next times that are shown.
NEXT = 5

WORKDAYS = frozenset(range(1, 6))


class When(Bilingual):
    """When a schedule fires, in words."""

    EVERY_MINUTES = ("every {count} minutes", "每 {count} 分钟")
    EVERY_MINUTE = ("every minute", "每分钟")
    EVERY_HOURS = ("every {count} hours", "每 {count} 小时")
    EVERY_HOUR = ("every hour", "每小时")
    EVERY_DAYS = ("every {count} days", "每 {count} 天")
    EVERY_DAY = ("every day", "每天一次")
    DAILY = ("daily at {time} ({zone})", "每天 {time}（{zone}）")
    ON_DAYS = ("{days} at {time} ({zone})", "每逢{days} {time}（{zone}）")
    WORKDAYS = ("Monday to Friday at {time} ({zone})", "周一至周五 {time}（{zone}）")
    MONTHLY = ("on day {day} of each month at {time} ({zone})", "每月 {day} 日 {time}（{zone}）")
    CRON = ("as {cron} says ({zone})", "按 {cron}（{zone}）")


class Weekday(Bilingual):
    """Days of the week, from Sunday."""

    SUNDAY = ("Sunday", "周日")
    MONDAY = ("Monday", "周一")
    TUESDAY = ("Tuesday", "周二")
    WEDNESDAY = ("Wednesday", "周三")
    THURSDAY = ("Thursday", "周四")
    FRIDAY = ("Friday", "周五")
    SATURDAY = ("Saturday", "周六")


def when(timing: Timing, language: Language) -> str:
    """When a schedule fires, in words; the cron expression where words would be many."""
    if timing.every_minutes:
        return _every(timing.every_minutes, language)
    cron, zone = parse_cron(timing.cron), timing.time_zone
    if len(cron.minutes) != 1 or len(cron.hours) != 1 or len(cron.months) != 12:
        return When.CRON.render(language, cron=timing.cron, zone=zone)
    at = {"time": f"{min(cron.hours):02}:{min(cron.minutes):02}", "zone": zone}
    if len(cron.days) == 31:
        return _on_weekdays(cron.weekdays, at, language)
    if len(cron.weekdays) == 7 and len(cron.days) == 1:
        return When.MONTHLY.render(language, day=min(cron.days), **at)
    return When.CRON.render(language, cron=timing.cron, zone=zone)


def _on_weekdays(weekdays: frozenset[int], at: dict[str, str], language: Language) -> str:
    if len(weekdays) == 7:
        return When.DAILY.render(language, **at)
    if weekdays == WORKDAYS:
        return When.WORKDAYS.render(language, **at)
    named = sorted(weekdays, key=lambda number: (number - 1) % 7)  # weeks begin on Monday
    days = ("、" if language == "zh" else ", ").join(list(Weekday)[number].render(language) for number in named)
    return When.ON_DAYS.render(language, days=days, **at)


def _every(minutes: int, language: Language) -> str:
    for unit, one, several in (
        (24 * 60, When.EVERY_DAY, When.EVERY_DAYS),
        (60, When.EVERY_HOUR, When.EVERY_HOURS),
        (1, When.EVERY_MINUTE, When.EVERY_MINUTES),
    ):
        if minutes % unit == 0:
            count = minutes // unit
            return one.render(language) if count == 1 else several.render(language, count=count)
    raise AssertionError("every number of minutes is one of minutes")


def schedule_info(
    schedule: Schedule,
    described: ScheduleDescription | None,
    language: Language,
    runs: list[ScheduleRun] | None = None,
) -> ScheduleInfo:
    """A schedule of the catalogue, with what Temporal says of it."""
    timing = schedule.timing
    return ScheduleInfo(
        name=schedule.name,
        kind=schedule.kind,
        knowledge_base=schedule.knowledge_base,
        options=schedule.options,
        cron=timing.cron or None,
        every_minutes=timing.every_minutes or None,
        time_zone=timing.time_zone,
        catch_up_minutes=timing.catch_up_minutes,
        when=when(timing, language),
        paused=schedule.paused,
        note=schedule.note,
        managed_by=None,
        actor=schedule.actor,
        created_at=schedule.created_at,
        updated_at=schedule.updated_at,
        next=next_times(described, timing.time_zone, paused=schedule.paused),
        skipped=described.info.num_actions_skipped_overlap if described else 0,
        missed=described.info.num_actions_missed_catchup_window if described else 0,
        last=run_info(schedule.last, language) if schedule.last else None,
        runs=[run_info(run, language) for run in runs or []],
    )


def next_times(described: ScheduleDescription | None, zone: str, *, paused: bool) -> list[datetime] | None:
    """The next times on the clocks of a zone; none while it is paused, None if Temporal does not say."""
    if described is None:
        return None
    return [] if paused else [at.astimezone(ZoneInfo(zone)) for at in described.info.next_action_times[:NEXT]]


def run_info(run: ScheduleRun, language: Language) -> ScheduleRunInfo:
    """A run of a schedule."""
    return ScheduleRunInfo(
        occurrence=run.occurrence,
        workflow_id=run.workflow_id,
        job_workflow_id=run.job_workflow_id or None,
        state=run.state,
        reason=run.reason.render(language) if run.reason else None,
        counts=run.counts,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def retention_preview(counted: Expired, page: ExpiredPage, options: RetentionOptions) -> RetentionPreview:
    """What a retention would delete."""
    return RetentionPreview(
        documents=counted.documents,
        matching=counted.matching,
        expired=counted.expired,
        allowed=counted.share() <= options.max_share,
        items=[
            ExpiredInfo(id=document.document_id, name=document.name, uploaded_at=document.uploaded_at)
            for document in page.documents
        ],
    )
