"""transformers' models over packs: attention, loss, checkpointing, shards, and what a step costs in memory and time."""
