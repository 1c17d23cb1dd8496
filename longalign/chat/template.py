"""Chat format `template`: the tokenizer's own Jinja template, with the exact positions of the assistant's answers.

Where the answers are in the rendered text is found by rendering a conversation twice: once with stand-ins for its
texts, which shows the frame that the template writes around them (cached by the sequence of roles), and once as it is.
The rendered text must then be the frame filled with the messages' texts, as they are or with white space trimmed. If it
is not, the template changes the texts, and the conversation is refused.

A target runs from the end of the generation prompt to the end of the end-of-turn token. So the prompt that asks for an
answer must be a prefix of the rendered conversation with that answer. Some templates write an answered question in
another way than they wrote the prompt: Mistral's puts the system text in front of the last question, others put a
thinking mark into the prompt only. Their conversations are refused. A template with `{% generation %}` marks gives the
targets itself, and is trusted; only white space between the prompt and a mark is a target, too, because the token
behind the prompt may hold both.

If no control token ends an answer, the tokenizer's EOS does, by the rule of `TargetBuilder`. An answer without text, or
of weight 0, is no target, and a last question without an answer is dropped.

The text is encoded in one piece, and control tokens spelled out in a message stay text (see `TextEncoder`). A template
may write today's date; then the ids differ from day to day.
"""

import re
from bisect import bisect_left
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple, cast

from transformers.utils.chat_template_utils import render_jinja_template

from longalign.chat.formats import require_eos
from longalign.chat.messages import Message, is_learnt, num_answered
from longalign.chat.targets import TargetBuilder
from longalign.chat.text import Span, TextEncoder
from longalign.counted import counted
from longalign.errors import UserError

_MARKS = re.compile(r"\{%-?\s*generation\s*-?%\}")
_STAND_IN = re.compile(r"q7Zstandin(\d+)Zq7")
_KEPT_FRAMES = 4096
_REMEDY = "use data.chat_format chatglm3 or llama2, or give the tokenizer another chat template"
_THOUGHTS = f"leave out its <think> block, or {_REMEDY}"


class Frame(NamedTuple):
    """What a template writes around the texts: scaffold[0] text scaffold[1] text ... scaffold[-1]."""

    scaffold: list[str]
    slots: list[int]  # slots[k] is the index of the message whose text follows scaffold[k]
    lead: dict[int, int]  # of an answer's index: characters from the end of its prompt to its text; absent if the
    # rendered conversation does not begin with that prompt


class Rendered(NamedTuple):
    """A rendered conversation, with the spans of characters of the texts in the frame's slots."""

    text: str
    frame: Frame
    spans: list[Span]


class Answer(NamedTuple):
    """An answer's characters in the rendered text, from the end of its prompt to the end of its end-of-turn token."""

    start: int
    end: int
    ended: bool  # by a control token of the template
    learnt: bool


class TemplateEncoder:
    """Encodes conversations with the tokenizer's chat template. Picklable."""

    def __init__(self, tokenizer: Any) -> None:
        self.name = tokenizer.name_or_path or type(tokenizer).__name__
        template = tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        if not template:
            raise UserError(
                f"tokenizer {self.name} has no chat template for data.chat_format template; use chatglm3 or llama2, "
                "or set chat_template in its tokenizer_config.json"
            )
        self.template: str = template
        self.text = TextEncoder(tokenizer)
        self.eos_token_id = require_eos(tokenizer)
        self.bos_token_id = tokenizer.bos_token_id
        self.variables = dict(tokenizer.special_tokens_map)
        self._frames: dict[tuple[Any, ...], Frame] = {}

    @cached_property
    def has_marks(self) -> bool:
        """Whether the template marks answers by `{% generation %}`."""
        return _MARKS.search(self.template) is not None

    @cached_property
    def spelled_out(self) -> list[str]:
        """The control tokens of the template that the tokenizer recognises only behind a space."""
        written = {value for key, value in self.variables.items() if key in self.template}
        return [name for name in self.text.spaced if name in self.template or name in written]

    def encode(self, messages: list[Message], events: list[str]) -> tuple[list[int], list[int]]:
        """(input_ids, labels) of a conversation; both are empty if it has no answer."""
        if self.spelled_out:
            raise UserError(
                f"tokenizer {self.name} would spell out {', '.join(self.spelled_out)} of the chat template where no "
                'space is in front; set "normalized": false for it in tokenizer.json, or use data.chat_format llama2'
            )
        answered = num_answered(messages)
        if answered < len(messages):
            events.append("trailing_user_dropped")
            messages = messages[:answered]
        if not messages:
            return [], []
        rendered, marked = self._render_checked(messages)
        for index in sorted(set(range(len(messages))) - set(rendered.frame.slots)):
            role, text = messages[index]["role"], messages[index]["content"]
            if text.strip() and role == "assistant":
                raise UserError(f"the chat template leaves out the text of message {index + 1} (assistant); {_REMEDY}")
            if text.strip():
                events.append(f"{role}_text_left_out_by_template")
        answers = self._marked_answers(messages, marked) if self.has_marks else self._answers(messages, rendered)
        if not all(answer.learnt for answer in answers):
            events.append("answer_of_weight_0")
        if any(message["role"] == "assistant" and not message["content"].strip() for message in messages):
            events.append("answer_without_text")
        text = self._without_tail(rendered, answers)
        content = sorted(rendered.spans)
        cuts = sorted({answer.start for answer in answers} | {answer.end for answer in answers if not answer.ended})
        ids, offsets, literal = self.text.encode_rendered(text, content, cuts)
        if literal:
            events.append("control_token_as_text")
        return self._label(ids, offsets, answers)

    def prompt(self, messages: list[Message]) -> list[int]:
        """The ids up to where the model answers the last message."""
        rendered, marked = self._render_checked(messages, prompt=True)
        cuts = [start for start, _ in marked] if self.has_marks else self._history_cuts(messages, rendered)
        return self.text.encode_rendered(rendered.text, sorted(rendered.spans), cuts)[0]

    def rendered(self, messages: list[Message]) -> str:
        """The text of a prompt."""
        return self._render_checked(messages, prompt=True)[0].text

    def _history_cuts(self, messages: list[Message], rendered: Rendered) -> list[int]:
        """Where `encode` would cut the text at the earlier answers of a prompt, so that the ids are those of training.

        A conversation whose targets `encode` cannot find is no error here.
        """
        frame = rendered.frame
        cuts = set()
        for k, (slot, (start, end)) in enumerate(zip(frame.slots, rendered.spans, strict=True)):
            if messages[slot]["role"] == "assistant":
                cuts.add(start - frame.lead.get(slot, 0))
                if not self._end_of_turn(frame.scaffold[k + 1]):
                    cuts.add(end)
        return sorted(cuts)

    # Rendering

    def _render(self, messages: list[Message], *, marks: bool = False, prompt: bool = False) -> tuple[str, list[Span]]:
        try:
            # Any: transformers' annotated return type is wrong
            texts, spans = cast(Any, render_jinja_template)(
                [messages],
                chat_template=self.template,
                return_assistant_tokens_mask=marks,
                add_generation_prompt=prompt,
                **self.variables,
            )
        except Exception as error:  # a template is a program, which can fail in any way
            roles = ", ".join(message["role"] for message in messages[:8]) + (", …" if len(messages) > 8 else "")
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"the chat template refuses the roles {roles}: {reason}; {_REMEDY}") from None
        return texts[0], [(start, end) for start, end in spans[0]] if marks else []

    def _render_checked(self, messages: list[Message], *, prompt: bool = False) -> tuple[Rendered, list[Span]]:
        """The rendered conversation, and the spans of answers that the template marks, if it does.

        prompt: with the generation prompt at its end.

        Raises:
            UserError: the template changes the text of a message.
        """
        text, marked = self._render(messages, marks=self.has_marks, prompt=prompt)
        changed: int | None = 0
        for fresh in (False, True):  # a cached frame is out of date if the template writes the date
            frame = self._frame(messages, prompt, fresh)
            spans, changed = _match(frame, messages, text)
            if changed is None:
                rendered = Rendered(text, frame, spans)
                return rendered, _from_prompts(messages, rendered, marked)
        assert changed is not None
        raise UserError(
            f"the chat template changes the text of message {changed + 1} ({messages[changed]['role']}), so targets "
            f"cannot be found in it; {_THOUGHTS if '</think>' in messages[changed]['content'] else _REMEDY}"
        )

    def _frame(self, messages: list[Message], prompt: bool, fresh: bool) -> Frame:
        # texts of white space alone are part of the key, because templates test whether there is a text
        key = (prompt, *((m["role"], None if m["content"].strip() else m["content"]) for m in messages))
        if fresh or key not in self._frames:
            if len(self._frames) >= _KEPT_FRAMES:
                self._frames.clear()
            self._frames[key] = self._make_frame(messages, prompt)
        return self._frames[key]

    def _make_frame(self, messages: list[Message], prompt: bool) -> Frame:
        stand_ins = [
            m | {"content": f"q7Zstandin{i}Zq7" if m["content"].strip() else m["content"]}
            for i, m in enumerate(messages)
        ]
        text, _ = self._render(stand_ins, prompt=prompt)
        found = list(_STAND_IN.finditer(text))
        slots = [int(match[1]) for match in found]
        edges = [0, *(edge for match in found for edge in match.span()), len(text)]
        scaffold = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
        lead = {}
        for slot, match, before in zip(slots, found, scaffold, strict=False):
            if messages[slot]["role"] != "assistant" or slots.count(slot) > 1:
                continue
            if slot == 0:
                lead[slot] = 0  # an answer that comes first has no prompt
                continue
            try:
                asked, _ = self._render(stand_ins[:slot], prompt=True)
            except UserError:
                continue
            distance = match.start() - len(asked)
            if text.startswith(asked) and 0 <= distance <= len(before):
                lead[slot] = distance
        return Frame(scaffold, slots, lead)

    # Where answers stand, and which of their tokens are targets

    def _answers(self, messages: list[Message], rendered: Rendered) -> list[Answer]:
        frame = rendered.frame
        places = {slot: k for k, slot in enumerate(frame.slots)}
        answers = []
        for index, message in enumerate(messages):
            if message["role"] != "assistant" or not message["content"].strip():
                continue
            if index not in frame.lead:
                raise UserError(
                    f"the chat template writes the conversation before message {index + 1} (assistant) in another way "
                    f"than it asks for this answer, so targets cannot be found; {_REMEDY}"
                )
            k = places[index]
            start, end = rendered.spans[k]
            length = self._end_of_turn(frame.scaffold[k + 1])
            answers.append(Answer(start - frame.lead[index], end + length, length > 0, is_learnt(message)))
        return answers

    def _end_of_turn(self, scaffold: str) -> int:
        """The length of the white space and control token with which a piece of scaffold begins; 0 if there is none."""
        match = self.text.match_control(scaffold)
        if match is None or (match[1] == self.bos_token_id != self.eos_token_id):
            return 0
        return match[0]

    def _marked_answers(self, messages: list[Message], marked: list[Span]) -> list[Answer]:
        said = [message for message in messages if message["role"] == "assistant"]
        if len(said) != len(marked):
            raise UserError(
                f"the chat template marks {counted(len(marked), 'answer')} with {{% generation %}}, "
                f"the conversation has {len(said)}; correct the template, or {_REMEDY}"
            )
        return [
            Answer(start, end, True, is_learnt(message))
            for (start, end), message in zip(marked, said, strict=True)
            if message["content"].strip()
        ]

    def _without_tail(self, rendered: Rendered, answers: list[Answer]) -> str:
        """The rendered text, without the white space behind a last answer that will be ended by EOS."""
        if answers and not answers[-1].ended and not rendered.text[answers[-1].end :].strip():
            return rendered.text[: answers[-1].end]
        return rendered.text

    def _label(self, ids: list[int], offsets: list[Span], answers: list[Answer]) -> tuple[list[int], list[int]]:
        builder = TargetBuilder(self.eos_token_id)
        done = 0
        for answer in answers:
            first = _first_token(offsets, done, answer.start)
            last = _first_token(offsets, first, answer.end)
            builder.context(ids[done:first])
            builder.answer(ids[first:last], ended=answer.ended, learnt=answer.learnt)
            done = last
        builder.context(ids[done:])
        return builder.finish()


def _from_prompts(messages: list[Message], rendered: Rendered, marked: list[Span]) -> list[Span]:
    """The marks of answers, each from the end of its prompt where only white space lies between."""
    answers = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if len(answers) != len(marked):
        return marked
    begins = {slot: start for slot, (start, _) in zip(rendered.frame.slots, rendered.spans, strict=True)}
    spans = []
    for index, (start, end) in zip(answers, marked, strict=True):
        asked = begins[index] - rendered.frame.lead[index] if index in rendered.frame.lead else start
        spans.append((asked if rendered.text[asked:start].isspace() else start, end))
    return spans


def _match(frame: Frame, messages: list[Message], text: str) -> tuple[list[Span], int | None]:
    """Match a rendered text with a frame that is filled with the messages' texts.

    Returns:
        (spans of the texts, None) if they match; ([], index of the first message that differs) if they do not.
    """
    last = frame.slots[-1] if frame.slots else 0
    if not text.startswith(frame.scaffold[0]):
        return [], frame.slots[0] if frame.slots else 0
    spans: list[Span] = []
    position = len(frame.scaffold[0])
    for slot, after, following in zip(frame.slots, frame.scaffold[1:], [*frame.slots[1:], last], strict=False):
        content = messages[slot]["content"]
        candidates = dict.fromkeys((content, content.strip(), content.rstrip(), content.lstrip(), content.strip("\n")))
        for candidate in candidates:
            end = position + len(candidate)
            if text.startswith(candidate, position) and text.startswith(after, end):
                break
        else:  # if this text is there and the scaffold behind it is not, the template has changed the next message
            return [], following if any(text.startswith(one, position) for one in candidates) else slot
        spans.append((position, end))
        position = end + len(after)
    return spans, None if position == len(text) else last


def _first_token(offsets: list[Span], begin: int, position: int) -> int:
    """The first token, from `begin` on, that starts at or after a character position."""
    return bisect_left(offsets, position, begin, key=itemgetter(0))
