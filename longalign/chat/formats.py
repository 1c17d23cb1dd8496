"""LongAlign's two plain-text formats, `chatglm3` and `llama2`: messages in, ids and labels out.

    chatglm3   [gMASK] sop "[Round 1]\\n\\n问：q\\n\\n答：" "a" "[Round 2]\\n\\n问：…" … EOS
    llama2     BOS "[INST]q[/INST]" "a" "[INST]…" … EOS

Each quoted text is encoded on its own, as the original's pre_tokenize.py does.
Targets are the answers' tokens, and EOS as the label of the token after an answer that is not empty.

What becomes of conversations that are not question, answer, question, answer:

- messages between two answers that are not the assistant's (system, several user messages) make one question, joined
  by a blank line. The original takes messages in pairs, so a system message makes the user's text the target.
- two answers in a row make one, joined by a blank line; an answer that comes first has an empty question.
- a last question without answer is dropped, as in the original; null content, which it reads as an empty question
  (or crashes on, in an answer), and a conversation without messages are refused (`messages`).
- answers lose U+200B, U+200C, U+200D and U+FEFF, and with `strip_whitespace` (the original under transformers < 4.34)
  the white space around them; questions stay as they are. An empty answer stays in the text and is no target.
- without `strip_whitespace` questions after the first begin with the blank line that separates the rounds.
- `dummy_prefix="first"` puts sentencepiece's word-start mark in front of the first text only (the original with a
  Llama tokenizer of `legacy: false`); "each" is the default.
- text that looks like a control token (`</s>`, `[gMASK]`) is text. The original's Llama makes tokens of it; its
  `<<BEGIN>>` and `<<END>>`, which break labels when a text holds them, do not exist here.
"""

from dataclasses import dataclass
from typing import Any, Literal

from longalign.chat.messages import Message, is_learnt
from longalign.chat.targets import TargetBuilder
from longalign.chat.text import TextEncoder
from longalign.errors import UserError

DummyPrefix = Literal["each", "first"]
_ZERO_WIDTH = dict.fromkeys((0x200B, 0x200C, 0x200D, 0xFEFF))


@dataclass(frozen=True)
class PlainFormat:
    """The texts of one format: the question's frame, and names of the tokens that open a sequence."""

    name: str
    question: str
    prefix_tokens: tuple[tuple[str, ...], ...]


CHATGLM3 = PlainFormat("chatglm3", "[Round {number}]\n\n问：{text}\n\n答：", (("[gMASK]",), ("sop", "<sop>")))
LLAMA2 = PlainFormat("llama2", "[INST]{text}[/INST]", ())


@dataclass(frozen=True)
class Round:
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
        """(input_ids, labels) of the rounds that have an answer; both empty where there is none."""
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
        """Ids up to where the model answers the last message."""
        return self._build(_rounds(messages, []), []).input_ids

    def rendered(self, messages: list[Message]) -> str:
        """The texts of a prompt, one after the other."""
        rounds = enumerate(_rounds(messages, []), start=1)
        return "".join(self._question(number, turn) + (turn.answer or "") for number, turn in rounds)

    def _build(self, rounds: list[Round], events: list[str]) -> TargetBuilder:
        builder = TargetBuilder(self.eos_token_id)
        builder.context(self.prefix_ids)
        for number, turn in enumerate(rounds, start=1):
            continuing = self.dummy_prefix == "first"
            builder.context(self.text.encode(self._question(number, turn), continuing=continuing and number > 1))
            answer = self._clean(turn.answer or "", events)
            ids = self.text.encode(answer, continuing=continuing)
            if turn.learnt:
                builder.answer(ids)
            else:
                builder.context(ids)
                events.append("answer_of_weight_0")
        return builder

    def _question(self, number: int, turn: Round) -> str:
        question = self.format.question.replace("{number}", str(number)).replace("{text}", turn.question)
        return "\n\n" + question if number > 1 and not self.strip_whitespace else question

    def _clean(self, answer: str, events: list[str]) -> str:
        cleaned = answer.translate(_ZERO_WIDTH)
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
    """The tokenizer's EOS id, which ends answers."""
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
