from __future__ import annotations

import socket
import time

import pytest
from stub_server import serving

from sequela.errors import InterruptedRunError, LockedError, UsageError
from sequela.knowledge.client import ModelClient, ModelSettings, NoAnswerError, allowed_url
from sequela.knowledge.prompts import report_prompt

PROMPT = report_prompt("FINAL DIAGNOSIS: lung, lobectomy: adenocarcinoma, 2.5 cm, pT1b N0 MX.")


def asked(url: str, seconds: float = 5.0, **changes: object) -> str:
    settings = ModelSettings.model_validate(
        {"model": "stub", "url": url, "seconds": seconds, **changes}
    )
    return ModelClient(settings, pause=lambda _: None).answer(PROMPT)


def test_a_good_model_answers_and_was_asked_with_the_schema_and_the_report() -> None:
    with serving("good") as (url, stub):
        assert '"T1b"' in asked(url)
    system, user = stub.requests[0]["messages"]
    assert "pT (primary tumour): TX, T0" in system["content"]
    assert "2.5 cm" in user["content"]
    assert stub.requests[0]["temperature"] == 0


def test_a_model_is_told_how_long_an_answer_may_be_for_it_would_ramble_on_unheard() -> None:
    with serving("good") as (url, stub):
        asked(url, tokens=700)
    assert stub.requests[0]["max_tokens"] == 700


def test_a_busy_model_is_asked_again() -> None:
    with serving("failing") as (url, stub):
        assert '"T1b"' in asked(url)
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    ("mood", "reason"),
    [("slow", "too long"), ("endless", "too long"), ("huge", "too long"), ("broken", "protocol")],
)
def test_a_slow_or_hostile_model_costs_its_limits_and_no_more(mood: str, reason: str) -> None:
    began = time.monotonic()
    with serving(mood) as (url, _), pytest.raises(NoAnswerError, match=reason):
        asked(url, seconds=0.3)
    assert time.monotonic() - began < 3


def test_an_address_where_nobody_answers_interrupts_the_run() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InterruptedRunError):
        asked(f"http://127.0.0.1:{port}/v1", retries=1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "http://localhost:8080/v1", "http://[::1]:8080/v1"]
)
def test_loopback_is_allowed(url: str) -> None:
    assert allowed_url(url, "") == url + "/"


@pytest.mark.parametrize(
    "url",
    [
        "https://models.example.org/v1",
        "http://127.0.0.1.example.org/v1",
        "http://10.0.0.5:8080/v1",
        "https://127.0.0.1@example.org/v1",
        "https://localhost.example.org/v1",
    ],
)
def test_another_machine_is_refused_unless_its_host_is_named(url: str) -> None:
    with pytest.raises(LockedError, match="leave this machine"):
        allowed_url(url, "other.example.org")


def test_a_named_host_is_asked_over_https_alone() -> None:
    host = "models.example.org"
    assert allowed_url(f"https://{host}/v1", host) == f"https://{host}/v1/"
    with pytest.raises(LockedError, match="unencrypted"):
        allowed_url(f"http://{host}/v1", host)


@pytest.mark.parametrize("url", ["", "file:///etc/hosts", "ftp://127.0.0.1/v1", "127.0.0.1:8080"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        allowed_url(url, "")
