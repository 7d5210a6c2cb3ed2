"""The family of exceptions: each has its code, its sentence in both languages, its HTTP status and its retries."""

from __future__ import annotations

import re
import string
from datetime import timedelta

import msgspec
import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from activities import errors
from activities.errors import (
    BlobsUnavailable,
    DamagedDocument,
    DependencyError,
    DocumentError,
    FileLost,
    HoldfastError,
    InvalidRequest,
    ModelError,
    NotFound,
    QuestionTimedOut,
    Reason,
    RequestError,
    SettingsError,
    TritonUnavailable,
    plain_line,
)
from activities.runtime.converter import data_converter
from activities.runtime.failures import UNFORESEEN_FAILURES, cause_of, reason_of, to_application_error
from api.http.problems import STATUS, status_of

HAN = re.compile(r"[\u4e00-\u9fff]")


def family(kind: type[HoldfastError] = HoldfastError) -> list[type[HoldfastError]]:
    """A class of errors and all its subclasses."""
    return [kind, *(found for child in kind.__subclasses__() for found in family(child))]


FAMILY = family()


def parameters(template: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def raised(kind: type[HoldfastError]) -> HoldfastError:
    """An error with all the parameters of its sentence."""
    return kind(**{name: f"<{name}>" for name in sorted(parameters(kind.en) | parameters(kind.zh))})


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_has_its_sentence_in_both_languages(kind: type[HoldfastError]) -> None:
    """With the same parameters; the Chinese one is Chinese, the English one is not, and each ends as a sentence."""
    assert parameters(kind.en) == parameters(kind.zh)
    if kind.en != "{detail}":  # its sentence is given when it is raised
        assert HAN.search(kind.zh)
        assert not HAN.search(kind.en)
        assert kind.en[-1] in ".`" or kind.en.endswith("{detail}")
        assert kind.zh[-1] in "。" or kind.zh.endswith("{detail}")


def test_a_code_has_one_sentence() -> None:
    """Two classes share a code only where one inherits the other's sentence, so a stored reason has one meaning."""
    sentences: dict[str, set[tuple[str, str]]] = {}
    for kind in FAMILY:
        sentences.setdefault(kind.code, set()).add((kind.en, kind.zh))
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert {code: found for code, found in sentences.items() if len(found) > 1} == {}
    inherited = [kind.__name__ for kind in FAMILY if "code" not in vars(kind)]
    assert inherited == ["InvalidRequest"]


def test_the_tree_names_every_error() -> None:
    """The tree in the module's docstring has all classes of the module and no others."""
    tree = str(errors.__doc__).split("::", 1)[1].split("\n\nEvery", 1)[0]
    entries = [re.split(r" {3,}", line.lstrip("│├└─ "))[0] for line in tree.splitlines()]
    drawn = {name for entry in entries for name in re.findall(r"\b[A-Z]\w+", entry)}
    assert drawn == {kind.__name__ for kind in FAMILY}


def test_the_tree_is_drawn_as_it_is() -> None:
    """Every class in the tree is below its parent."""
    tree = str(errors.__doc__).split("::", 1)[1].split("\n\nEvery", 1)[0]
    parent = "HoldfastError"
    for line in tree.splitlines():
        depth = len(line) - len(line.lstrip("│├└─ "))
        names = re.findall(r"\b[A-Z]\w+", re.split(r" {3,}", line[depth:])[0])
        for place, name in enumerate(names):
            above = "HoldfastError" if depth < 12 else parent
            above = names[0] if ":" in line[depth:] and place > 0 else above
            kind = getattr(errors, name)
            if kind is not HoldfastError:
                assert kind.__base__.__name__ == above, name
        if names and depth < 12:
            parent = names[0]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_has_a_status(kind: type[HoldfastError]) -> None:
    """The table has one for each, and only internal failures are 500."""
    status = status_of(raised(kind))
    expected = {
        RequestError: range(400, 410),
        DocumentError: [422],
        ModelError: [422],
        DependencyError: [503],
        FileLost: [410],
        QuestionTimedOut: [504],
    }
    (wanted,) = [found for base, found in expected.items() if issubclass(kind, base)] or [[500]]
    assert status in ([*wanted, 413, 421, 429] if issubclass(kind, RequestError) else wanted)


def test_the_status_table_is_most_specific_first() -> None:
    """No line is hidden by one above it."""
    kinds = [kind for kind, _ in STATUS]
    for place, kind in enumerate(kinds):
        assert not any(issubclass(kind, above) for above in kinds[:place]), kind


@pytest.mark.parametrize("kind", FAMILY)
def test_a_stored_reason_is_rendered_later(kind: type[HoldfastError]) -> None:
    """Through JSON and msgpack, in either language, the sentence is the same, without braces or "?"."""
    error = raised(kind)
    for codec in (msgspec.json, msgspec.msgpack):
        stored = codec.decode(codec.encode(error.reason), type=Reason)
        assert stored == error.reason
        assert stored.render("en") == str(error)
        chinese = stored.render("zh")
        assert not re.search(r"[{}?]", str(error) + chinese)
        for name in parameters(kind.en):
            assert f"<{name}>" in str(error)
            assert f"<{name}>" in chinese


def test_a_reason_of_another_version_can_be_rendered() -> None:
    """An unknown code is an internal error, and a missing parameter does not break the sentence."""
    assert Reason("from-the-future", {"x": "1"}).render() == HoldfastError.en
    assert Reason("not-found").render() == "There is no ? “?”, or you may not see it."


def test_words_are_translated_and_names_are_not() -> None:
    """`document` is translated in the sentence about a missing document; a file's text is never used as a template."""
    assert NotFound(kind="document", id="abc").reason.render("zh") == "不存在该文档“abc”，或您无权查看。"
    assert str(InvalidRequest(detail="{code} {0} %s")).endswith("{code} {0} %s")


def test_a_parameter_is_cut() -> None:
    """However long a library's message is, the reason that history stores is short."""
    assert len(BlobsUnavailable(detail="x" * 10_000).reason.params["detail"]) == 300


def _same_service(one: type[DependencyError], other: type[DependencyError]) -> bool:
    """Temporal has two errors: unavailable and refused."""
    return one.code.partition("-")[0] == other.code.partition("-")[0]


@pytest.mark.parametrize("kind", [kind for kind in FAMILY if issubclass(kind, DependencyError)])
@pytest.mark.parametrize("attempt", [1, UNFORESEEN_FAILURES, 10_000])
def test_an_outage_is_waited_for(kind: type[DependencyError], attempt: int) -> None:
    """However many attempts failed; the error names the dependency, and every dependency has its own name."""
    error = to_application_error(raised(kind), attempt)
    assert not error.non_retryable
    assert error.type == kind.code
    assert error.details[1] == kind.dependency
    others = [one for one in FAMILY if issubclass(one, DependencyError) and not _same_service(one, kind)]
    assert kind.dependency not in {one.dependency for one in others}


@pytest.mark.parametrize(
    "kind", [kind for kind in FAMILY if not issubclass(kind, DependencyError) and kind is not HoldfastError]
)
def test_a_refusal_is_never_repeated(kind: type[HoldfastError]) -> None:
    """A document, a request, a model or a setting is refused for good: retries would not help."""
    error = to_application_error(raised(kind), 1)
    assert error.non_retryable
    assert (error.type, error.details[0], str(error.message)) == (kind.code, raised(kind).reason, str(raised(kind)))


def test_the_unforeseen_is_tried_a_few_times() -> None:
    """With growing backoff, then it fails; users do not see the library's message, operators do."""
    for attempt in range(1, UNFORESEEN_FAILURES + 1):
        error = to_application_error(ZeroDivisionError("by 0"), attempt)
        assert error.non_retryable == (attempt == UNFORESEEN_FAILURES)
        assert error.next_retry_delay == timedelta(seconds=attempt)
        assert (error.type, error.details[0]) == ("internal", HoldfastError().reason)
        assert error.message == "ZeroDivisionError: by 0"


@pytest.mark.parametrize(
    "raised_error",
    [DamagedDocument(format="PDF", detail="裁剪 cut"), TritonUnavailable(detail="gone"), KeyError("x"), NotFound()],
    ids=lambda error: type(error).__name__,
)
async def test_a_reason_survives_the_way_through_temporal(raised_error: Exception) -> None:
    """The reason set by the activity interceptor can be read from the failure in the workflow."""
    sent = to_application_error(raised_error, 1)
    failure = Failure()
    await data_converter.encode_failure(sent, failure)
    received = await data_converter.decode_failure(Failure.FromString(failure.SerializeToString()))
    assert isinstance(received, ApplicationError)
    expected = raised_error.reason if isinstance(raised_error, HoldfastError) else HoldfastError().reason
    assert reason_of(sent) == reason_of(received) == expected
    assert (received.type, received.non_retryable) == (sent.type, sent.non_retryable)


@pytest.mark.parametrize("details", [(), ("text",), ({"x": 1},), (None,), ({"code": "empty"},)])
def test_a_foreign_application_error_is_an_internal_one(details: tuple[object, ...]) -> None:
    """Whatever details an ApplicationError has, there is a reason to show."""
    reason = reason_of(ApplicationError("message", *details))
    assert reason.code == ("empty" if details == ({"code": "empty"},) else "internal")
    assert reason.render()


def test_a_wrong_setting_is_not_a_request() -> None:
    """An operator's mistake is a 500 for a client, never a 400."""
    assert status_of(SettingsError(key="K", value="v", problem="p")) == 500


def test_an_outage_in_a_group_of_tasks_is_an_outage() -> None:
    """It is waited for also when several tasks raise it at once, together with its consequences."""
    down = TritonUnavailable(detail="gone")
    group = ExceptionGroup("tasks", [KeyError("x"), ExceptionGroup("inner", [ValueError("y"), down])])
    assert cause_of(group) is down
    assert not to_application_error(cause_of(group), 99).non_retryable
    assert isinstance(cause_of(ExceptionGroup("tasks", [KeyError("x")])), KeyError)


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ("file '<_io.BufferedReader name='/tmp/a/original'>' is not a Word file", "file is not a Word file"),
        ("could not read '/srv/x/parse-1/original'.\nadvice", "could not read 'original'."),
        (FileNotFoundError(2, "No such file or directory", "/tmp/a/b"), "No such file or directory: 'b'"),
        ("Text node too long, try XML_PARSE_HUGE, line 1 (<string>, line 1)", "Text node too long, line 1"),
        ("Factor exceeded, see xmlCtxtSetMaxFactor., line 1, column 5", "Factor exceeded, line 1, column 5"),
        ("xmlParseEntityRef: no name", "no name"),
        ("cannot use <Element {http://a.b/c}d at 0x7f00>", "cannot use"),
        ("no part word/document.xml, 1/2 of http://a.b/c/d", "no part word/document.xml, 1/2 of http://a.b/c/d"),
        (ValueError(), "ValueError"),
    ],
)
def test_what_a_library_says_is_one_plain_line(message: object, plain: str) -> None:
    """Without places of this machine, objects of Python and advice for programmers."""
    assert plain_line(message) == plain
