"""Where ids and labels are put together: one helper appends both, so that they cannot drift apart."""

IGNORE = -100


class TargetBuilder:
    """Appends tokens with or without target, and remembers that an answer has to be ended.

    `labels[t]` is what the model should predict at input position t-1, `IGNORE` where nothing is to be learnt.
    """

    def __init__(self, eos_token_id: int) -> None:
        self.eos_token_id = eos_token_id
        self.input_ids: list[int] = []
        self.labels: list[int] = []
        self.answer_open = False

    def context(self, ids: list[int]) -> None:
        """Tokens that are read only. The first one after an answer carries the label EOS: there the model should stop.

        [q, a | q, ...] -> labels [-100, a | EOS, -100...]
        """
        if not ids:
            return
        self.input_ids += ids
        self.labels += [IGNORE] * len(ids)
        if self.answer_open:
            self.labels[-len(ids)] = self.eos_token_id
            self.answer_open = False

    def answer(self, ids: list[int], *, ended: bool = False) -> None:
        """Tokens to be learnt. `ended` says that they hold their own end-of-turn token."""
        self.input_ids += ids
        self.labels += ids
        self.answer_open = bool(ids) and not ended

    def finish(self) -> tuple[list[int], list[int]]:
        """Close an open answer with EOS, a target; return (input_ids, labels) of equal length."""
        if self.answer_open:
            self.answer([self.eos_token_id], ended=True)
        assert len(self.input_ids) == len(self.labels)
        return self.input_ids, self.labels
