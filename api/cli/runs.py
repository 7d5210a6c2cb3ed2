"""`holdfast audit runs|run|replay`: runs of Temporal, live and archived."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import Output, talks_to_api, write_file
from api.cli.texts.messages import say
from api.client.problems import Problem

if TYPE_CHECKING:
    from api.audit.runs.schemas import RunInfo
    from api.client.client import Api

_TIMES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command("runs", help=say("help.audit.runs"))
@click.option("--kb", metavar="NAME", help=say("help.in_kb"))
@click.option("--actor", metavar="SUBJECT", help=say("help.audit.actor"))
@click.option("--type", "kind", metavar="TYPE", help=say("help.audit.type"))
@click.option("--document", metavar="ID", help=say("help.audit.document"))
@click.option("--workflow", metavar="ID", help=say("help.audit.workflow"))
@click.option("--since", type=_TIMES, help=say("help.audit.runs.since"))
@click.option("--until", type=_TIMES, help=say("help.audit.runs.until"))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help=say("help.limit"))
@talks_to_api
async def audit_runs(
    api: Api, out: Output, limit: int, since: datetime | None, until: datetime | None, **chosen: str | None
) -> None:
    """GET /audit/runs, page by page up to the limit."""
    given = {"kb": chosen["kb"], "actor": chosen["actor"], "type": chosen["kind"]}
    given |= {"document_id": chosen["document"], "workflow": chosen["workflow"]}
    given |= {name: _utc(at) for name, at in (("since", since), ("until", until)) if at is not None}
    found = await api.runs.first(limit, **{name: value for name, value in given.items() if value})
    out.document({"items": [run.json for run in found]})
    rows = [] if out.json else [_row(run.value) for run in found]
    out.table_or_nothing(("run", "type", "state", "kb", "actor", "at", "archived", "workflow"), rows, whole=("run",))


@click.command("run", help=say("help.audit.run"))
@click.argument("run")
@click.option("--download", type=click.Path(dir_okay=False, path_type=Path), help=say("help.audit.download"))
@talks_to_api
async def audit_run(api: Api, out: Output, run: str, download: Path | None) -> None:
    """GET /audit/runs/{run_id}, or its file."""
    id = await _id_of(api, run)
    if download is not None:
        content = await api.runs.history(id)
        write_file(download, content)
        out.document({"file": str(download), "bytes": len(content)})
        out.text(say("written", path=download))
        return
    found = await api.runs.get(id)
    out.document(found.json)
    info = found.value
    where = say("audit.run.archived", sha256=info.sha256) if info.archived else say("audit.run.live")
    out.text(f"{info.type} {info.workflow_id} ({info.state}, {info.stage or '–'})\n{where}\n{info.temporal_url}\n")
    rows = [
        (event.id, f"{event.at:%Y-%m-%d %H:%M:%S}", event.type, event.name or "", event.identity or "")
        for event in info.history
    ]
    out.table(("event", "at", "kind", "name", "identity"), rows, whole=("event",))


@click.command("replay", help=say("help.audit.replay"))
@click.argument("run")
@talks_to_api
async def audit_replay(api: Api, out: Output, run: str) -> None:
    """POST /audit/runs/{run_id}/replay; exits with 1 if it does not replay."""
    result = (await api.runs.replay(await _id_of(api, run))).value
    if not result.replays:
        out.fail("differs", say("audit.replay.differs", version=result.version, difference=result.difference))
    out.document({"run_id": result.run_id, "replays": True, "events": result.events, "version": result.version})
    out.text(say("audit.replay.same", events=result.events, version=result.version))


async def _id_of(api: Api, run: str) -> str:
    """The id of a run; for the id of a workflow, that of its latest run. Raises Problem."""
    if "/" not in run:
        return run
    found = await api.runs.first(1, workflow=run)
    if not found:
        raise Problem("no-run", workflow=run)
    return found[0].value.run_id


def _row(run: RunInfo) -> tuple[object, ...]:
    archived = say("audit.is_archived") if run.archived else ""
    at = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
    return run.run_id, run.type, run.state, run.knowledge_base, run.actor, at, archived, run.workflow_id


def _utc(at: datetime) -> Any:
    return at.replace(tzinfo=UTC).isoformat()
