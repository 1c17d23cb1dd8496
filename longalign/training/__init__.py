"""The Lightning side of a run: module, strategy, callbacks, checkpoints, and the records it leaves."""
