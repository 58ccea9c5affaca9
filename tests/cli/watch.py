"""Writes down whom a process and its children want to connect to, as their `sitecustomize`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LOOPBACK = ("127.0.0.1", "::1", "localhost", b"localhost", None)
_EVENTS = (
    *("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
    *("socket.sendto", "socket.sendmsg", "urllib.Request"),
)


def hook(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _EVENTS:
        return
    place = arguments[0] if event in _EVENTS[1:4] else arguments[1]
    if event == "urllib.Request":
        place = arguments[0]
    host = place[0] if isinstance(place, tuple) else place
    unix = event in ("socket.connect", "socket.sendto") and not isinstance(place, tuple)
    if not unix and host not in _LOOPBACK:
        with Path(os.environ["WATCHED"]).open("a", encoding="utf-8") as file:
            file.write(f"{event} {host}\n")


sys.addaudithook(hook)
with Path(os.environ["WATCHED"] + ".processes").open("a", encoding="utf-8") as started:
    started.write(f"{os.getpid()}\n")
