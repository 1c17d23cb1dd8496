"""Does it work: needle tests and judged answers, of local models and of servers. Nothing but commands imports it."""
