"""A seeded stand-in for the lengths of LongAlign's training mix: what the plan's tests and benchmark run on."""

import numpy as np


def longalign_like_lengths(
    seed: int = 0, *, num_short: int = 75_000, num_long: int = 10_000, max_length: int = 65_536
) -> np.ndarray:
    """Lengths int64[num_short + num_long] in shuffled file order: chats and long documents.

    Chats are lognormal with median 1,100 tokens and sigma 1 (ShareGPT's shape), clipped to [16, max_length]; documents
    are uniform on [max_length / 8, max_length], which is 8k-64k. LongAlign (arXiv 2401.18058, section 3) trains on
    ShareGPT and 10k documents of 8k-64k tokens, about 12 sequences in a pack of 64k; this mix has 11.
    """
    rng = np.random.default_rng(seed)
    chats = np.clip(np.exp(rng.normal(np.log(1100.0), 1.0, num_short)), 16, max_length).astype(np.int64)
    documents = rng.integers(max_length // 8, max_length + 1, num_long)
    return rng.permutation(np.concatenate([chats, documents]))
