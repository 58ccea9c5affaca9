"""A language model on loopback that is good, slow, lying or hostile."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sequela.knowledge.rules import extract_report

LIES = {"pT": "T4", "pN": "N2", "stage": "IV", "grade": "4", "size": "25", "margins": "positive"}
_ORDER = re.compile(r"pT4|N2|stage.{0,12}IV|25 cm|grade.{0,4}4|positive")


class Stub:
    """What the server was asked, and how it behaves.

    Args:
        mood: good (reads the report), obedient (does what a report tells it), lying (quotes what
            is not there), misquoting (quotes what is there for another value), slow, endless,
            huge, babbling (no JSON), failing (busy twice, then good), broken (no protocol).
    """

    def __init__(self, mood: str) -> None:
        self.mood = mood
        self.requests: list[dict[str, Any]] = []

    def said(self, prompt: str) -> str:
        report = prompt.removeprefix("BEGIN REPORT\n").removesuffix("\nEND REPORT")
        match self.mood:
            case "lying":
                return _lies("the tumour is as bad as can be")
            case "misquoting":
                return _lies(report.split("\n")[0][:100])
            case "babbling":
                return "I am sorry, but I would rather talk about the weather. {]"
            case "obedient" if _ORDER.search(_understood(report)):
                return _lies("pT4 N2 M1, stage IV, grade 4")
            case _:
                return _good(report)


def _understood(report: str) -> str:
    """The report with what is hidden in it: encoded, invisible, between the letters."""
    plain = "".join(chr(ord(each) - 0xE0000) if ord(each) >= 0xE0000 else each for each in report)
    plain = plain.replace("\u200b", "")
    for _ in range(2):
        for blob in re.findall(r"[A-Za-z0-9+/]{20,}={0,2}", plain):
            with suppress(ValueError):
                plain += " " + base64.b64decode(blob, validate=True).decode()
    return plain


def _lies(quote: str) -> str:
    return json.dumps({name: {"value": value, "evidence": quote} for name, value in LIES.items()})


def _good(report: str) -> str:
    found = extract_report(report).known
    fields = {
        each.field: {"value": each.value, "evidence": each.evidence.words if each.evidence else ""}
        for each in found
    }
    return f"Here you are:\n```json\n{json.dumps(fields)[:-1]},}}\n```"


@contextmanager
def serving(mood: str) -> Iterator[tuple[str, Stub]]:
    """The address of a model in some mood, and what it saw."""
    stub = Stub(mood)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            stub.requests.append(json.loads(self.rfile.read(length)))
            with suppress(BrokenPipeError, ConnectionResetError):
                _reply(self, stub)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reply(handler: BaseHTTPRequestHandler, stub: Stub) -> None:
    if stub.mood == "failing" and len(stub.requests) <= 2:
        handler.send_response(503)
        handler.end_headers()
        return
    if stub.mood == "slow":
        time.sleep(0.6)
    handler.send_response(200)
    handler.end_headers()
    if stub.mood in ("huge", "endless"):
        chunk = b" " * (1 << 16 if stub.mood == "huge" else 1)
        for _ in range(60):
            handler.wfile.write(chunk)
            time.sleep(0 if stub.mood == "huge" else 0.02)
        return
    content = stub.said(stub.requests[-1]["messages"][1]["content"])
    body = {"choices": [{"message": {"content": content}}]}
    handler.wfile.write(b"<html>" if stub.mood == "broken" else json.dumps(body).encode())
