"""Making the calls of a synthesis, recording each reply, and turning the replies into rows.

A row takes two calls: one for five questions about a document, of which one is drawn, and one for the answer to that. A
candidate that fails a check is replaced by the next of its bucket, until the bucket's quota is met or no candidate is
left. Which rows are kept depends on the recorded replies alone, so a run that was stopped and continued gives the same
rows as one that was not.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from longalign.api.budget import Budget, Call, ask_within
from longalign.api.client import ChatClient, Completion, RequestFailed
from longalign.api.loop import taken_aside
from longalign.api.thoughts import split_thoughts
from longalign.counted import counted
from longalign.data.synthesis import prompts
from longalign.data.synthesis.documents import read_texts
from longalign.data.synthesis.overlap import NearDuplicates, Passages
from longalign.data.synthesis.quality import grounding, problem
from longalign.data.synthesis.selection import Candidate
from longalign.records import FAILED, OK, Records, Row

log = logging.getLogger(__name__)

REFUSED = "refused"  # status of a request that the server would refuse again: the candidate is replaced
NO_REPLY = "request failed"
QUESTIONS, AGAIN, ANSWER = "questions", "questions again", "answer"  # AGAIN: after a reply that cannot be read
QUESTION_TOKENS = 600  # a reply with questions may have so many, or as many as an answer if that is more
PROMPT_TOKENS = 200  # of a prompt without its document, roughly, for the estimate of the cost


@dataclass(frozen=True)
class Setup:
    """What the replies depend on, apart from the documents. prompts: version of the prompts' wording."""

    model: str
    seed: int
    max_new_tokens: int
    temperature: float | None
    prompts: int = prompts.VERSION


@dataclass(frozen=True)
class Checks:
    """The settings of the checks on rows.

    Attributes:
        grounded: see `quality.problem`. similar: the threshold of `NearDuplicates`. passages: of evaluation sets.
    """

    grounded: float | None
    similar: float
    passages: Passages


@dataclass
class Synthesis:
    """A synthesis and its state.

    Args:
        path, column: where the documents are, see `read_texts`.
        chosen: the candidates of each bucket, in the order in which they are asked about.
        quotas: the number of rows that each bucket is to give.
        records: the replies so far; new ones are added.
        skip_failed: replace candidates whose requests fail in this run, as those that fail a check.

    Attributes:
        asked: of each bucket, how many of its candidates are asked about by now.
        served: whether the server has answered any request; before that, what it refuses is not held to be the fault
            of the document, as a key, model or server may be the wrong one.
        problems: the candidates that were judged: why each is not kept, None if nothing is wrong with it alone.
    """

    path: str
    column: str
    chosen: Mapping[str, Sequence[Candidate]]
    quotas: Mapping[str, int]
    records: Records
    setup: Setup
    checks: Checks
    skip_failed: bool = False
    asked: dict[str, int] = field(default_factory=dict)
    problems: dict[Candidate, str | None] = field(default_factory=dict)
    served: bool = False

    def __post_init__(self) -> None:
        self.asked = {bucket: min(quota, len(self.chosen[bucket])) for bucket, quota in self.quotas.items()}
        self.served = any(row.get("status") == OK for row in self.records.rows())

    def waiting(self) -> list[Candidate]:
        """The candidates that are asked about by now, in their order."""
        return [one for bucket, number in self.asked.items() for one in self.chosen[bucket][:number]]

    def cost(self) -> tuple[int, int, int]:
        """(calls, tokens in, tokens out at most) that are still needed if no row fails a check."""
        calls = tokens_in = tokens_out = 0
        for one in self.waiting():
            steps = [self._limit(QUESTIONS)] * (self.questions(one) is None)
            steps += [self._limit(ANSWER)] * (self._reply(one, ANSWER) is None)
            calls += len(steps)
            tokens_in += len(steps) * (one.document.length + PROMPT_TOKENS)
            tokens_out += sum(steps)
        return calls, tokens_in, tokens_out

    async def run(self, client: ChatClient, budget: Budget) -> None:
        """Ask until every bucket has its rows or no candidates left.

        Raises:
            UserError: as `ask_within`.
        """
        while True:
            await self._ask(client, budget, QUESTIONS)
            await self._ask(client, budget, AGAIN)
            await self._ask(client, budget, ANSWER)
            self._judge()
            # without skip_failed, the next run repeats a failed request, so its candidate is not replaced
            filling = (None,) if self.skip_failed else (None, NO_REPLY)
            filled = Counter(one.bucket for one, reason in self.outcomes().items() if reason in filling)
            more = {
                bucket: min(quota - filled[bucket], len(self.chosen[bucket]) - self.asked[bucket])
                for bucket, quota in self.quotas.items()
            }
            if not any(more.values()):
                return
            for bucket, number in more.items():
                self.asked[bucket] += number
            log.info("rows are missing; asking about %s", counted(sum(more.values()), "other candidate"))

    def _limit(self, step: str) -> int:
        return max(self.setup.max_new_tokens, 0 if step == ANSWER else QUESTION_TOKENS)

    async def _ask(self, client: ChatClient, budget: Budget, step: str) -> None:
        parameters: dict[str, Any] = {"max_tokens": self._limit(step), "seed": self.setup.seed + (step == AGAIN)}
        if self.setup.temperature is not None:
            parameters["temperature"] = self.setup.temperature
        needed = [one for one in self.waiting() if self._needs(one, step)]
        calls = (self._call(one, text, step, parameters) for one, text in self.texts(needed))
        await ask_within(budget, client, taken_aside(calls), self._keep)

    def _call(self, one: Candidate, text: str, step: str, parameters: dict[str, Any]) -> Call:
        messages = _user(self._prompt(one, text, step))
        return Call(self._key(one, step), messages, parameters, parameters["max_tokens"])

    def _needs(self, one: Candidate, step: str) -> bool:
        if one in self.problems or self._reply(one, step) is not None:
            return False
        if step == QUESTIONS:
            return True
        first = self._reply(one, QUESTIONS)
        if first is None or first["status"] == REFUSED:
            return False
        return (self.questions(one) is None) == (step == AGAIN)

    def _prompt(self, one: Candidate, text: str, step: str) -> str:
        if step == ANSWER:
            return self.user_text(one, text)
        return prompts.ask_for_questions(text, one.task, one.document.language)

    def _keep(self, key: str, result: Completion | RequestFailed) -> None:
        row: Row = {"key": key, "setup": asdict(self.setup)}
        if isinstance(result, RequestFailed):
            log.warning("a request failed: %s", result)
            self.records.append(row | {"status": REFUSED if result.final else FAILED, "error": str(result)})
            return
        self.served = True
        thoughts, text = split_thoughts(result.text)
        found = {
            "status": OK,
            "text": text,
            "finish_reason": result.finish_reason,
            "served_model": result.served_model,
            "tokens": [result.prompt_tokens, result.completion_tokens],
        }
        self.records.append(row | found | ({"thoughts": thoughts} if thoughts else {}))

    def _key(self, one: Candidate, step: str) -> str:
        return one.key(step, asdict(self.setup))

    def _reply(self, one: Candidate, step: str) -> Row | None:
        row = self.records.get(self._key(one, step))
        void = (FAILED,) if self.served else (FAILED, REFUSED)
        return row if row is not None and row["status"] not in void else None

    def questions(self, one: Candidate) -> list[str] | None:
        """The five questions of the first reply that can be read; None if there is no such reply yet."""
        for step in (QUESTIONS, AGAIN):
            reply = self._reply(one, step)
            if (
                reply
                and reply["status"] == OK
                and reply["finish_reason"] != "length"
                and (found := prompts.parse_questions(reply["text"]))
            ):
                return found
        return None

    def drawn(self, one: Candidate) -> int:
        """The index of the question that is asked."""
        return one.draw(self.setup.seed, "question").randrange(prompts.ASKED)

    def user_text(self, one: Candidate, text: str) -> str:
        """The user's message of the row: the document and the question in a frame. It is also the answer's prompt."""
        questions = self.questions(one)
        assert questions is not None
        frames = prompts.FRAMES[one.document.language]
        (frame,) = one.draw(self.setup.seed, "frame").choices(frames, weights=prompts.FRAME_WEIGHTS)
        around = [part.replace("{question}", questions[self.drawn(one)]) for part in frame.split("{document}")]
        return text.join(around)

    def texts(self, wanted: Iterable[Candidate]) -> Iterator[tuple[Candidate, str]]:
        """Yield the candidates, each with the used part of its document, in the order of the files.

        The documents are read again, one by one.
        """
        by_text: dict[str, list[Candidate]] = defaultdict(list)
        for one in wanted:
            by_text[one.document.sha256].append(one)
        if by_text:
            for _, sha256, text in read_texts(self.path, self.column):
                for one in by_text.pop(sha256, ()):
                    yield one, text[: one.document.characters]
                if not by_text:
                    return

    def _judge(self) -> None:
        """Check each answer that was not checked yet, by itself; `outcomes` compares them with each other."""
        for one, text in self.texts([one for one in self.waiting() if one not in self.problems]):
            found = self._problem(one, text)
            if found != FAILED:
                self.problems[one] = found
            elif self.skip_failed:  # without it the next run asks again
                self.problems[one] = NO_REPLY

    def _problem(self, one: Candidate, text: str) -> str | None:
        questions = self.questions(one)
        replies = [self._reply(one, step) for step in (QUESTIONS, AGAIN, ANSWER)]
        if any(reply and reply["status"] == REFUSED for reply in replies):
            return "refused by the server"
        if questions is None:
            return "questions cannot be read" if replies[0] and replies[1] else FAILED
        reply, question = replies[2], questions[self.drawn(one)]
        if reply is None:
            return FAILED
        if self.checks.passages.in_text(f"{question}\n{reply['text']}"):
            return "in an evaluation set"
        return problem(text, question, reply["text"], reply["finish_reason"], one.task, self.checks.grounded)

    def outcomes(self) -> dict[Candidate, str | None]:
        """For each candidate that is asked about by now: None if it is kept, or the reason why it is not."""
        near, found = NearDuplicates(self.checks.similar), {}
        kept: Counter[str] = Counter()
        for one in self.waiting():
            reason = self.problems.get(one, NO_REPLY)
            if reason is None and near.seen(self._said(one)):
                reason = "nearly the same as another"
            if reason is None and kept[one.bucket] == self.quotas[one.bucket]:
                reason = "more than asked for"
            kept[one.bucket] += reason is None
            found[one] = reason
        return found

    def _said(self, one: Candidate) -> str:
        questions, reply = self.questions(one), self._reply(one, ANSWER)
        assert questions is not None and reply is not None
        return f"{questions[self.drawn(one)]}\n{reply['text']}"

    def kept(self) -> list[Candidate]:
        """The candidates that are kept."""
        return [one for one, reason in self.outcomes().items() if reason is None]

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the output, in the order of the documents in the files."""
        for one, text in self.texts(self.kept()):
            yield self._row(one, text)

    def _row(self, one: Candidate, text: str) -> Row:
        questions, reply = self.questions(one), self._reply(one, ANSWER)
        assert questions is not None and reply is not None
        document = one.document
        messages = [*_user(self.user_text(one, text)), {"role": "assistant", "content": reply["text"].strip()}]
        cut = {"cut_at": document.characters} if document.cut else {}
        provenance = {
            "document": {"where": document.where, "sha256": document.sha256, **cut},
            "bucket": one.bucket,
            "questions": questions,
            "drawn": self.drawn(one),
            "grounding": round(grounding(text, questions[self.drawn(one)], reply["text"]), 3),
            "served_model": reply["served_model"],
            "setup": asdict(self.setup),
            "tokens": {step: r["tokens"] for step in (QUESTIONS, AGAIN, ANSWER) if (r := self._reply(one, step))},
        }
        name = f"{document.sha256[:16]}-{one.use}"
        facts = {"language": document.language, "length": document.length, "task": one.task}
        return {"id": name, "messages": messages, **facts, "provenance": provenance}


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
