"""Asking models behind OpenAI-compatible APIs: what is sent, what comes back, what it costs."""
