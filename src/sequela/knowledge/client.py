"""One language model behind an OpenAI-compatible endpoint, which may be slow, broken or hostile."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from sequela.errors import DataError, InterruptedRunError, LockedError, UsageError
from sequela.knowledge.prompts import Prompt
from sequela.settings import Settings

if TYPE_CHECKING:
    import httpx2

_BACKOFF_SECONDS = (1.0, 4.0, 16.0)
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class ModelSettings(Settings):
    """Which model is asked, where, and what one answer may cost.

    Attributes:
        model: Its name at the endpoint.
        url: The endpoint, up to and with its version, as in http://127.0.0.1:8080/v1.
        allow_remote: The one host that texts may be sent to; loopback alone without it.
        key_file: A file with the endpoint's key, if it wants one.
        seconds: Wall-clock time for an answer.
        characters: Length of an answer; what is longer is given up.
        tokens: The most that the model is asked to answer with; a form takes about 1,000.
        retries: How often a failed connection is tried again, at most three times.
    """

    model: str
    url: str
    allow_remote: str = ""
    key_file: Path | None = None
    seconds: float = Field(120.0, gt=0)
    characters: int = Field(32_768, gt=0)
    tokens: int = Field(2048, gt=0)
    retries: int = Field(3, ge=0, le=len(_BACKOFF_SECONDS))


class NoAnswerError(DataError):
    """The model gave nothing that can be used; the message says why."""


class ModelClient:
    """Asks for one answer at a time.

    Args:
        settings: Which model, and where.
        pause: Waits some seconds before another try.

    Raises:
        UsageError: If the address is not one, or the key cannot be read.
        LockedError: If it is not on this machine and its host was not allowed by name.
    """

    def __init__(self, settings: ModelSettings, pause: Callable[[float], None] = time.sleep):
        import httpx2

        self.settings, self._pause = settings, pause
        self._http = httpx2.Client(
            base_url=allowed_url(settings.url, settings.allow_remote),
            timeout=httpx2.Timeout(settings.seconds, connect=min(10.0, settings.seconds)),
            headers=_authorisation(settings.key_file),
            follow_redirects=False,
            trust_env=False,  # no proxy of the environment gets to see a report
        )

    def answer(self, prompt: Prompt) -> str:
        """What the model says, as text.

        Raises:
            NoAnswerError: If the answer is too long, too slow or not of the protocol.
            InterruptedRunError: If nobody answers at the address, again and again.
        """
        for wait in (*_BACKOFF_SECONDS[: self.settings.retries], None):
            outcome = self._once(prompt)
            if outcome is not None:
                return outcome
            if wait is not None:
                self._pause(wait)
        raise InterruptedRunError(
            "the language model's endpoint does not answer",
            hint="see that it runs, then run the same command again; what was answered is kept",
        )

    def _once(self, prompt: Prompt) -> str | None:
        """An answer; None where trying again may help."""
        import httpx2

        body = {
            "model": self.settings.model,
            "messages": [
                {"role": "system", "content": prompt.instructions},
                {"role": "user", "content": prompt.content},
            ],
            "max_tokens": self.settings.tokens,
            "temperature": 0,
            "seed": 0,
            "stream": False,
        }
        try:
            with self._http.stream("POST", "chat/completions", json=body) as response:
                if response.status_code in _AGAIN:
                    return None
                if response.status_code != 200:
                    raise UsageError(
                        f"the language model's endpoint refuses with status {response.status_code}",
                        hint="check --url, --model and --key-file",
                    )
                return _content(self._read(response))
        except httpx2.TimeoutException:
            raise NoAnswerError("the answer took too long") from None
        except httpx2.TransportError:
            return None

    def _read(self, response: httpx2.Response) -> bytes:
        """The body, as long as it keeps to the limits of length and time."""
        deadline = time.monotonic() + self.settings.seconds
        body = bytearray()
        for part in response.iter_raw():
            body += part
            if len(body) > 4 * self.settings.characters:
                raise NoAnswerError("the answer is too long")
            if time.monotonic() > deadline:
                raise NoAnswerError("the answer took too long")
        return bytes(body)


def allowed_url(url: str, allow_remote: str) -> str:
    """The address, if texts may be sent there.

    Raises:
        UsageError: If it is no http or https address.
        LockedError: If its host is neither loopback nor the one allowed.
    """
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        parsed = httpx2.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(
            "--url is not the address of a language model",
            hint="write it as in http://127.0.0.1:8080/v1",
        )
    if not _is_loopback(parsed.host) and parsed.host != allow_remote:
        raise LockedError(
            "texts of patients would leave this machine",
            hint=f"run the model here, or allow its host: --allow-remote {parsed.host}",
        )
    if not _is_loopback(parsed.host) and parsed.scheme != "https":
        raise LockedError("texts of patients would travel unencrypted", hint="use an https address")
    return url.rstrip("/") + "/"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _authorisation(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {file.read_text(encoding='ascii').strip()}"}
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"{file.name} holds no key", hint="give a text file with the key"
        ) from None


def _content(body: bytes) -> str:
    import json

    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise NoAnswerError("the answer is not of the chat protocol") from None
    if not isinstance(content, str):
        raise NoAnswerError("the answer is not of the chat protocol")
    return content
