"""What a person types where an id is wanted: a name, or the beginning of a name or an id."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import Output
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from api.client.client import Api
    from api.lookup.schemas import Kind

#: An id, and the beginning of one: shorter texts are names.
ID = re.compile(r"[0-9a-f]{4,32}")
WHOLE_ID = re.compile(r"[0-9a-f]{32}")

#: Candidates that are shown when a text stands for several things.
CANDIDATES = 10


#: Longest name of a candidate: a conversation's may be long, and may have several lines.
NAME_CHARACTERS = 60


@dataclass(frozen=True)
class Found:
    """What a text stands for; what is not known to the API is left to the request that needs it."""

    id: str
    name: str
    knowledge_base: str
    is_known: bool = True


@dataclass(frozen=True)
class Choice:
    """Something of a list that a text may stand for."""

    id: str
    name: str = ""
    knowledge_base: str = ""


async def id_of(api: Api, out: Output, kind: Kind, text: str, kb: str | None = None) -> str:
    """The id that ``text`` stands for; exits with 2 and the candidates if there are several."""
    return text if WHOLE_ID.fullmatch(text) else (await find(api, out, kind, text, kb)).id


async def find(api: Api, out: Output, kind: Kind, text: str, kb: str | None = None, *, certain: bool = False) -> Found:
    """What ``text`` stands for. ``certain``: a name has to be whole, because nobody is asked."""
    matches = [match.json for match in await api.lookup.find(kind, text, CANDIDATES + 1, kb)]
    if not matches:
        return Found(text, text, kb or "", is_known=False)
    (match, *others) = matches
    if others or (certain and match["name"] != text and not match["id"].startswith(text)):
        _refuse(out, text, matches)
    return Found(match["id"], match["name"] or match["id"], match["knowledge_base"])


async def one_of(out: Output, text: str, of: AsyncIterator[Choice]) -> str:
    """The id of what ``text`` stands for among what is listed; ``text`` itself if it is none of them.

    A whole id or name goes first; exits with 2 and the candidates if there are several.
    """
    if WHOLE_ID.fullmatch(text):
        return text
    found = [choice async for choice in of if text and (choice.id.startswith(text) or choice.name.startswith(text))]
    found = [choice for choice in found if text in (choice.id, choice.name)] or found
    if len(found) > 1:
        _refuse(out, text, [asdict(choice) for choice in found[: CANDIDATES + 1]])
    return found[0].id if found else text


def reference(name: str, *, many: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the argument NAME, or several, and the option --kb, in which it is looked for."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        option = click.option("--kb", metavar="NAME", help=say("help.name_in_kb"))
        metavar = name.upper() + ("…" if many else "")
        return click.argument(name, metavar=metavar, nargs=-1 if many else 1, required=True)(option(command))

    return add


def _refuse(out: Output, text: str, matches: list[dict[str, Any]]) -> None:
    shown = matches[:CANDIDATES]
    names = [_short(" ".join(match["name"].split())) for match in shown]
    width = max(map(len, names))
    lines = [
        f"  {match['id']}  {name:{width}}  {match['knowledge_base']}".rstrip()
        for match, name in zip(shown, names, strict=True)
    ]
    lines += ["  …"] if len(matches) > CANDIDATES else []
    code = "ambiguous" if len(matches) > 1 else "not-whole"
    hint = [say("ambiguous.kb")] if len({match["knowledge_base"] for match in shown}) > 1 and _takes_kb() else []
    out.fail(code, "\n".join([say(code, text=text), *lines, *hint]), 2, candidates=shown)


def _takes_kb() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and "kb" in context.params


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"
