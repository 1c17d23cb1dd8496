"""Where a model is asked, and with what key: checked before the first call, and safe to print and to write down."""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from longalign.errors import UserError

OPENAI = "https://api.openai.com/v1"

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|key)-[\w*.-]{4,}|\*{4,}[\w-]*")


@dataclass(frozen=True)
class Endpoint:
    """A model behind an OpenAI-compatible API. The key is in the environment variable ``api_key_env``, nowhere else."""

    model: str
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    timeout_s: float = 600
    max_retries: int = 6

    @property
    def url(self) -> str:
        """The address, without a slash at its end: `base_url`, else OPENAI_BASE_URL, else OpenAI's own."""
        return (self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")

    def check(self) -> None:
        """Refuse what cannot work or would show a key.

        Raises:
            UserError: a value is out of its range, the address is none or holds a password, or there is no key.
        """
        if not self.model:
            raise UserError("api_model: empty; give the name of the model that the server serves")
        for name, value, least in (("concurrency", self.concurrency, 1), ("max_retries", self.max_retries, 0)):
            if value < least:
                raise UserError(f"{name}: got {value}, expected {least} or more")
        if not self.timeout_s > 0:
            raise UserError(f"timeout_s: got {self.timeout_s}, expected more than 0 seconds")
        self._check_url()
        self.key()

    def key(self) -> str:
        """The API key. A server that is not OpenAI's may need none: then it is the word EMPTY.

        Raises:
            UserError: there is none, or it cannot be sent. The message never holds it.
        """
        if not _VARIABLE.fullmatch(self.api_key_env):  # perhaps the key itself: it is not repeated
            raise UserError(
                "api_key_env: expected the NAME of an environment variable, such as OPENAI_API_KEY; the key itself "
                "belongs into that variable, never on the command line"
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
        """``text``, in one line, without the key or what looks like one: servers repeat keys in their complaints."""
        key = self.key()
        if key != "EMPTY":
            text = text.replace(key, "***")
        return " ".join(_LOOKS_LIKE_A_KEY.sub("***", text).split())

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
        except ValueError:
            bad = True
        if bad:
            raise UserError(f"base_url: got {self.base_url!r}, expected an address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise UserError(
                "base_url: holds a user, a password or a query, which would be written into results; "
                f"give the address alone and the key in {self.api_key_env}"
            )
