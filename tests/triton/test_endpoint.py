"""The engine of OpenAI-compatible endpoints: what it sends, and what it makes of what services answer."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.errors import (
    HoldfastError,
    LanguageModelKeyRefused,
    LanguageModelNotFound,
    LanguageModelNotTrusted,
    LanguageModelRefused,
    LanguageModelUnavailable,
)
from activities.runtime.failures import to_application_error
from activities.stores.endpoint import ENDPOINT, failure_of
from tests.ports import free_port
from tests.triton.conftest import ROOT
from tests.triton.scripted import KEY, Scripted, scripted

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def service() -> Iterator[Scripted]:
    """A service that answers as the name of the model says."""
    with scripted() as found:
        yield found


@pytest.fixture(scope="module")
def asking() -> Iterator[Ask]:
    """Asks by the engine, in the environment of Triton's models."""
    argv = [str(ROOT / ".venv-triton/bin/python"), "tests/triton/ask_endpoint.py"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        lines, answers = process.stdin, process.stdout
        assert lines is not None
        assert answers is not None

        def ask(model: str, port: int, scheme: str = "http", host: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
            settings = {"MODEL": f"{scheme}://{host}:{port}/v1#{model}", "API_KEY": KEY, **more.pop("settings", {})}
            environ = {f"HOLDFAST_GENERATE_{name}": value for name, value in settings.items()}
            lines.write(json.dumps({"environ": environ, **more}) + "\n")
            lines.flush()
            outcome: dict[str, Any] = json.loads(answers.readline())
            return outcome

        yield ask
    assert process.returncode == 0


def error_of(outcome: dict[str, Any]) -> HoldfastError:
    """The platform's error for what Triton passes on."""
    assert outcome["error"].startswith(ENDPOINT), outcome
    assert KEY not in outcome["error"]
    return failure_of(outcome["error"])


def test_a_request_bears_no_more_than_it_must(service: Scripted, asking: Ask) -> None:
    """Model, messages, sampling that OpenAI knows and the key; no cookie, nothing of user or machine."""
    outcome = asking("good", service.port, settings={"EXTRA": '{"temperature": null, "reasoning_effort": "low"}'})
    assert outcome["pieces"] == ["年假", "五天。[1]"]
    written_by = f"good @ 127.0.0.1:{service.port}"
    assert outcome["ending"] == {"model": written_by, "finish": "stop", "prompt_tokens": 40, "tokens": 7}
    path, headers, body = service.requests[-1]
    assert path == "/v1/chat/completions"
    assert {name.lower() for name in headers} == {
        *("host", "authorization", "user-agent", "accept", "accept-encoding", "content-type", "content-length"),
    }
    assert (headers["Authorization"], headers["User-Agent"]) == (f"Bearer {KEY}", "holdfast")
    assert body == {
        "model": "good",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "年假多少天？"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
        "stop": ["a", "b", "c", "d"],
        "reasoning_effort": "low",
    }


@pytest.mark.parametrize(
    ("model", "pieces", "finish"), [("long", ["too long"], "length"), ("whole", ["Five days."], "stop")]
)
def test_other_endings(service: Scripted, asking: Ask, model: str, pieces: list[str], finish: str) -> None:
    """An answer that reached the limit, and one of a server that does not stream."""
    outcome = asking(model, service.port)
    assert (outcome["pieces"], outcome["ending"]["finish"]) == (pieces, finish)


def test_the_key_may_be_changed_in_its_file(service: Scripted, asking: Ask, tmp_path: Path) -> None:
    """It is read for each request; a file that is not there is an error of the key."""
    file = tmp_path / "key"
    file.write_text("another\n")
    assert asking("good", service.port, settings={"API_KEY_FILE": str(file)})["pieces"]
    assert service.requests[-1][1]["Authorization"] == "Bearer another"
    file.unlink()
    assert (
        "HOLDFAST_GENERATE_API_KEY_FILE" in asking("good", service.port, settings={"API_KEY_FILE": str(file)})["error"]
    )


@pytest.mark.parametrize(
    ("model", "kind", "detail"),
    [
        ("401", LanguageModelKeyRefused, "HTTP 401: Incorrect API key provided: …."),
        ("403", LanguageModelKeyRefused, "HTTP 403"),
        ("404", LanguageModelNotFound, "HTTP 404: The model `404` does not exist"),
        ("400", LanguageModelRefused, "HTTP 400: max_tokens is not supported"),
        ("spent", LanguageModelRefused, "HTTP 429: You have no money"),
        ("redirect", LanguageModelRefused, "HTTP 307"),
        ("page", LanguageModelRefused, "its answer is not that of OpenAI's API"),
        ("odd", LanguageModelRefused, "its answer is not that of OpenAI's API"),
        ("filtered", LanguageModelRefused, "content_filter"),
        ("429", LanguageModelUnavailable, "HTTP 429: slow down"),
        ("503", LanguageModelUnavailable, "HTTP 503"),
        ("broken", LanguageModelUnavailable, "its answer broke off"),
        ("failing", LanguageModelUnavailable, "its answer broke off"),
    ],
)
def test_what_a_service_answers(
    service: Scripted, asking: Ask, model: str, kind: type[HoldfastError], detail: str
) -> None:
    """Passing failures are waited for, the others name what an operator corrects; the key is in none of them."""
    before = len(service.requests)
    error = error_of(asking(model, service.port))
    assert type(error) is kind
    assert error.reason.params["detail"] == detail
    assert len(service.requests) == before + 1
    failure = to_application_error(error, 1)
    assert failure.non_retryable == (kind is not LanguageModelUnavailable)
    for language in ("en", "zh"):
        assert f"127.0.0.1:{service.port}" in error.reason.render(language)  # type: ignore[arg-type]
    wished = failure.next_retry_delay.total_seconds() if failure.next_retry_delay else None
    assert wished == {"429": 17, "503": 300}.get(model)


def test_a_reader_who_leaves_ends_the_request(service: Scripted, asking: Ask) -> None:
    """The connection is closed while words come, and while none has come."""
    for model, leaves in (("endless", {"pieces": 3}), ("silent", {"seconds": 3})):
        service.left.clear()
        outcome = asking(model, service.port, **leaves)
        assert len(outcome["pieces"]) == leaves.get("pieces", 0)
        assert outcome["ending"]["finish"] == ""
        assert service.left.wait(20)


def test_silence_and_absence_are_outages(service: Scripted, asking: Ask) -> None:
    """A service that says nothing for too long, and one that is not there."""
    silent = error_of(asking("silent", service.port, settings={"TIMEOUT_SECONDS": "1"}))
    assert (type(silent), silent.reason.params["detail"]) == (LanguageModelUnavailable, "no answer within 1 s")
    absent = error_of(asking("good", free_port()))
    assert isinstance(absent, LanguageModelUnavailable)
    assert "cannot be reached" in str(absent)


def test_certificates_are_verified(asking: Ask, tmp_path: Path) -> None:
    """One that nobody vouches for is refused before anything is sent, until its authority is named."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with scripted(tls) as service:
        error = error_of(asking("good", service.port, "https", "localhost"))
        assert type(error) is LanguageModelNotTrusted
        assert service.requests == []
        assert asking("good", service.port, "https", "localhost", settings={"CA_FILE": str(certificate)})["pieces"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"MODEL": "http://models.example.org/v1#m"}, "by https only"),
        ({"MODEL": "https://models.example.org/v1"}, "is not like https://host/v1#model"),
        ({"EXTRA": '{"stream": false}'}, "without model, messages, stream"),
        ({"EXTRA": "{"}, "HOLDFAST_GENERATE_EXTRA is not JSON"),
        ({"CA_FILE": "/no/such/file"}, "HOLDFAST_GENERATE_CA_FILE=/no/such/file"),
    ],
)
def test_settings_that_cannot_be_used_are_named(asking: Ask, settings: dict[str, str], message: str) -> None:
    """Before Triton starts."""
    assert message in asking("good", 1, settings=settings)["error"]


def test_an_endpoint_describes_itself(service: Scripted, asking: Ask) -> None:
    """With what keeps it from being used."""
    card = asking("good", service.port, card=True)["card"]
    assert card == {"engine": "endpoint", "model": "good", "host": f"127.0.0.1:{service.port}", "problem": None}
    assert asking("good", free_port(), card=True)["card"]["problem"]["kind"] == "unreachable"
