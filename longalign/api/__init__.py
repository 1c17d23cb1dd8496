"""Asking models behind OpenAI-compatible APIs: requests and retries, parsing of replies, limits on cost."""
