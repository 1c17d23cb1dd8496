"""LongAlign's two plain-text formats, `chatglm3` and `llama2`: messages in, ids and labels out.

    chatglm3   [gMASK] sop "[Round 1]\\n\\n问：q\\n\\n答：" "a" "[Round 2]\\n\\n问：…" … EOS
    llama2     BOS "[INST]q[/INST]" "a" "[INST]…" … EOS

Each quoted text is encoded on its own, as the original's pre_tokenize.py does.
Targets are the tokens of the answers. In addition the token after an answer that is not empty has the label EOS.

"The original" below is LongAlign's own code. Conversations that do not alternate between question and answer:

- All messages between two answers (system, several user messages) become one question, joined by blank lines. The
  original takes messages in pairs, so that after a system message the user's text becomes the target.
- Two answers in a row become one, joined by a blank line. An answer that comes first gets an empty question.
- A last question without an answer is dropped, as in the original.
- A conversation without messages is refused, and so is null content (see `messages`). The original reads null as an
  empty question, and crashes on it in an answer.

The texts:

- U+200B, U+200C, U+200D and U+FEFF are removed from answers. With `strip_whitespace` (the original under transformers <
  4.34) so is the white space around them. Questions stay as they are. An empty answer stays and is no target.
- Without `strip_whitespace`, questions after the first begin with the blank line that separates the rounds.
- `dummy_prefix="first"` puts sentencepiece's word-start mark in front of the first text only (as the original with a
  Llama tokenizer of `legacy: false`); "each", the default, puts it in front of every text.
- Text that looks like a control token (`</s>`, `[gMASK]`) is encoded as text. The original's Llama format makes control
  tokens of it. It also marks answers by `<<BEGIN>>` and `<<END>>`, and a text with these breaks its labels; there are
  no such marks here.
"""

from dataclasses import dataclass
from typing import Any, Literal

from longalign.chat.messages import Message, is_learnt
from longalign.chat.targets import TargetBuilder
from longalign.chat.text import TextEncoder
from longalign.errors import UserError

DummyPrefix = Literal["each", "first"]
ZERO_WIDTH = "\u200b\u200c\u200d\ufeff"
_WITHOUT_ZERO_WIDTH = str.maketrans("", "", ZERO_WIDTH)


@dataclass(frozen=True)
class PlainFormat:
    """One format: the text around a question, and the tokens that open a sequence, each by its possible names.

    Without `prefix_tokens` the tokenizer's BOS opens a sequence, if it has one.
    """

    name: str
    question: str
    prefix_tokens: tuple[tuple[str, ...], ...]


CHATGLM3 = PlainFormat("chatglm3", "[Round {number}]\n\n问：{text}\n\n答：", (("[gMASK]",), ("sop", "<sop>")))
LLAMA2 = PlainFormat("llama2", "[INST]{text}[/INST]", ())


@dataclass(frozen=True)
class Round:
    """A question and its answer; None where there is no answer."""

    question: str
    answer: str | None
    learnt: bool = True


class PlainEncoder:
    """Encodes conversations in one of LongAlign's formats. Picklable."""

    def __init__(
        self, tokenizer: Any, plain_format: PlainFormat, *, strip_whitespace: bool, dummy_prefix: DummyPrefix
    ) -> None:
        self.text = TextEncoder(tokenizer)
        self.format = plain_format
        self.strip_whitespace = strip_whitespace
        self.dummy_prefix = dummy_prefix
        self.eos_token_id = require_eos(tokenizer)
        self.prefix_ids = _prefix_ids(tokenizer, plain_format)

    def encode(self, messages: list[Message], events: list[str]) -> tuple[list[int], list[int]]:
        """(input_ids, labels) of all rounds that have an answer; both are empty if none has."""
        rounds = _rounds(messages, events)
        if rounds and rounds[-1].answer is None:
            rounds.pop()
            events.append("trailing_user_dropped")
        if not rounds:
            return [], []
        builder = self._build(rounds, events)
        if not builder.answer_open:
            builder.context([self.eos_token_id])
        return builder.finish()

    def prompt(self, messages: list[Message]) -> list[int]:
        """The ids up to where the model answers the last message."""
        return self._build(_rounds(messages, []), []).input_ids

    def rendered(self, messages: list[Message]) -> str:
        """The texts of a prompt, joined; control tokens are not among them."""
        rounds = enumerate(_rounds(messages, []), start=1)
        return "".join(self._question(number, turn) + (turn.answer or "") for number, turn in rounds)

    def _build(self, rounds: list[Round], events: list[str]) -> TargetBuilder:
        builder = TargetBuilder(self.eos_token_id)
        builder.context(self.prefix_ids)
        for number, turn in enumerate(rounds, start=1):
            continuing = self.dummy_prefix == "first"
            builder.context(self.text.encode(self._question(number, turn), continuing=continuing and number > 1))
            answer = self._clean(turn.answer or "", events)
            builder.answer(self.text.encode(answer, continuing=continuing), learnt=turn.learnt)
            if not turn.learnt:
                events.append("answer_of_weight_0")
            if turn.answer is not None and not answer:
                events.append("answer_without_text")
        return builder

    def _question(self, number: int, turn: Round) -> str:
        question = self.format.question.replace("{number}", str(number)).replace("{text}", turn.question)
        return "\n\n" + question if number > 1 and not self.strip_whitespace else question

    def _clean(self, answer: str, events: list[str]) -> str:
        cleaned = answer.translate(_WITHOUT_ZERO_WIDTH)
        if len(cleaned) != len(answer):
            events.append("zero_width_removed")
        return cleaned.strip() if self.strip_whitespace else cleaned


def _rounds(messages: list[Message], events: list[str]) -> list[Round]:
    rounds: list[Round] = []
    questions: list[Message] = []
    answers: list[Message] = []
    for message in messages:
        if message["role"] != "assistant" and answers:
            rounds.append(_round(questions, answers, events))
            questions, answers = [], []
        (answers if message["role"] == "assistant" else questions).append(message)
    if questions or answers:
        rounds.append(_round(questions, answers, events))
    return rounds


def _round(questions: list[Message], answers: list[Message], events: list[str]) -> Round:
    if len(questions) > 1 or len(answers) > 1:
        events.append("messages_joined")
    if not questions:
        events.append("answer_without_question")
    question, answer = ("\n\n".join(message["content"] for message in some) for some in (questions, answers))
    return Round(question, answer if answers else None, learnt=all(map(is_learnt, answers)))


def require_eos(tokenizer: Any) -> int:
    """The id of the tokenizer's EOS token, which ends answers.

    Raises:
        UserError: the tokenizer has none.
    """
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"tokenizer {type(tokenizer).__name__} has no EOS token; set eos_token in its tokenizer_config.json"
        )
    return tokenizer.eos_token_id


def _prefix_ids(tokenizer: Any, plain_format: PlainFormat) -> list[int]:
    if not plain_format.prefix_tokens:
        return [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    added = tokenizer.get_added_vocab()
    ids = [next((added[name] for name in names if name in added), None) for names in plain_format.prefix_tokens]
    missing = [names[0] for names, token_id in zip(plain_format.prefix_tokens, ids, strict=True) if token_id is None]
    if missing:
        raise UserError(
            f"data.chat_format {plain_format.name} needs a tokenizer with {', '.join(missing)}, which "
            f"{type(tokenizer).__name__} lacks; use llama2 or template"
        )
    return [token_id for token_id in ids if token_id is not None]
