"""Address, model name and limits of an API. The values are checked before the first call and never include the key."""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from longalign.errors import UserError, check_least

OPENAI = "https://api.openai.com/v1"

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|key)-[\w*.-]{4,}|\*{4,}[\w-]*")


@dataclass(frozen=True)
class Endpoint:
    """A model behind an OpenAI-compatible API.

    The key is read from the environment variable named ``api_key_env`` when it is needed, and stored nowhere, so an
    endpoint can be printed and written into results.

    Attributes:
        concurrency: requests at a time. timeout_s: of one request. max_retries: of a request that failed for now.
    """

    model: str
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    timeout_s: float = 600
    max_retries: int = 6

    @property
    def url(self) -> str:
        """The server's address without a final slash: ``base_url``, else OPENAI_BASE_URL, else OpenAI's own."""
        return (self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")

    def check(self) -> None:
        """Check all values before the first call.

        Raises:
            UserError: a value is out of its range, the address is not one or holds a password, or there is no key.
        """
        if not self.model:
            raise UserError("api_model: empty; give the name of the model that the server serves")
        check_least("concurrency", self.concurrency, 1)
        check_least("max_retries", self.max_retries, 0)
        if not self.timeout_s > 0:
            raise UserError(f"timeout_s: got {self.timeout_s}, expected more than 0 seconds")
        self._check_url()
        self.key()

    def key(self) -> str:
        """The API key; the word EMPTY if there is none and the server is not OpenAI's, as that may need none.

        Raises:
            UserError: there is no key, or it has characters that cannot be sent. The message never shows the key.
        """
        if not _VARIABLE.fullmatch(self.api_key_env):  # perhaps the key itself, so the message must not repeat it
            raise UserError(
                "api_key_env: expected the NAME of an environment variable, such as OPENAI_API_KEY; the key itself "
                "belongs in that variable, never on the command line"
            )
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            if self.url == OPENAI:
                raise UserError(
                    f"no API key: set the environment variable {self.api_key_env} (--api_key_env names another), or "
                    "give the --base_url of a server that needs none"
                )
            return "EMPTY"
        if not key.isascii() or not key.isprintable():
            raise UserError(f"{self.api_key_env} holds characters that no API key has")
        return key

    def hide_key(self, text: str) -> str:
        """``text`` in one line, with the key, and whatever looks like one, replaced: servers repeat keys in errors."""
        key = self.key()
        if key != "EMPTY":
            text = text.replace(key, "***")
        return " ".join(_LOOKS_LIKE_A_KEY.sub("***", text).split())

    def _check_url(self) -> None:
        source = "base_url" if self.base_url else "OPENAI_BASE_URL"
        try:
            parts = urlsplit(self.url)
            bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
            bad |= " " in self.url or not self.url.isprintable()
        except ValueError:
            bad = True
        if bad:
            raise UserError(f"{source}: got {self.url!r}, expected an address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise UserError(
                f"{source}: holds a user, a password or a query, which would be written into results; "
                f"give the address alone and the key in {self.api_key_env}"
            )
