"""Building ids and labels together, by one helper that appends to both, so that they always have the same length."""

IGNORE = -100


class TargetBuilder:
    """Appends tokens that are targets and tokens that are not, and sees to it that each answer ends with a target EOS.

    `labels[t]` is what the model should predict at input position t-1; `IGNORE` means no target.
    """

    def __init__(self, eos_token_id: int) -> None:
        self.eos_token_id = eos_token_id
        self.input_ids: list[int] = []
        self.labels: list[int] = []
        self.answer_open = False

    def context(self, ids: list[int]) -> None:
        """Append tokens that are no targets. If an answer is still open, the first of them gets the label EOS.

        After question q and answer a, the next question q2 is read, but EOS is to be predicted in its place:
        ids [q, a, q2, ...] -> labels [-100, a, EOS, -100, ...]
        """
        if not ids:
            return
        self.input_ids += ids
        self.labels += [IGNORE] * len(ids)
        if self.answer_open:
            self.labels[-len(ids)] = self.eos_token_id
            self.answer_open = False

    def answer(self, ids: list[int], *, ended: bool = False, learnt: bool = True) -> None:
        """Append the tokens of an answer, as targets if it is `learnt`.

        ended: they include the end-of-turn token, so that no EOS is needed.
        """
        if not learnt:
            self.context(ids)
            return
        self.input_ids += ids
        self.labels += ids
        self.answer_open = bool(ids) and not ended

    def finish(self) -> tuple[list[int], list[int]]:
        """Append EOS as a target if an answer is still open; return (input_ids, labels)."""
        if self.answer_open:
            self.answer([self.eos_token_id], ended=True)
        assert len(self.input_ids) == len(self.labels)
        return self.input_ids, self.labels
