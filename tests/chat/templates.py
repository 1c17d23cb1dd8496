"""Chat templates in the styles of published models, written for these tests."""

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# a default system text where the conversation brings none (Qwen2.5, SmolLM2)
DEFAULT_SYSTEM = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}" + CHATML
)

# bos, headers, trimmed texts (Llama 3)
HEADERS = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start|>' + m.role + '<|end|>\n\n' + m.content | trim + '<|eot|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant<|end|>\n\n' }}{% endif %}"
)

# the assistant is called model, the system text goes into the first question, roles must alternate (Gemma)
FOLDED = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set intro = messages[0].content | trim + '\n\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set intro = '' %}{% set turns = messages %}{% endif %}"
    "{% for m in turns %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate user/assistant') }}{% endif %}"
    "{{ '<|start|>' + ('model' if m.role == 'assistant' else 'user') + '\n' }}"
    "{{ (intro if loop.first else '') + m.content | trim + '<|eot|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>model\n' }}{% endif %}"
)

# role marks that are ordinary added tokens, no generation prompt after an answer (DeepSeek)
ROLE_MARKS = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}"
    "{{ '<｜User｜>' + m.content }}{% else %}{{ '<｜Assistant｜>' + m.content + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)

# nothing ends a turn but the next turn's mark (GLM-4)
UNENDED = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)

# words only, no special token at all
WORDS = (
    "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)

# no generation prompt; the answer's leading space is the template's (Llama 2)
INST = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% else %}"
    "{{ bos_token + '[INST] ' + m.content | trim + ' [/INST]' }}{% endif %}{% endfor %}"
)

MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}"
    "{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# the marks begin behind a space that is not in the prompt (Vicuna's with marks)
MARKED_AFTER_SPACE = (
    "{% for m in messages %}{{ m.role + ':' }}{% if m.role == 'assistant' %}{{ ' ' }}{% generation %}"
    "{{ m.content + eos_token }}{% endgeneration %}{% else %}{{ ' ' + m.content + ' ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)

# contents are lists of parts (models of images); a text has none
MARKED_PARTS = MARKED.replace(
    "{% for m", "{% macro said(m) %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endmacro %}{% for m"
).replace("m.content + ", "said(m) + ")

# thoughts of earlier turns are taken out, the last answer gets an empty one (Qwen3)
THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
    "{% set said = m.content.split('</think>')[-1].lstrip('\n') %}"
    "{% if loop.last %}{{ m.content if '</think>' in m.content else '<think>\n\n</think>\n\n' + said }}"
    "{% else %}{{ said }}{% endif %}{% else %}{{ m.content }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# the system text moves to the last question (Mistral)
MOVED_SYSTEM = (
    "{% set turns = messages | rejectattr('role', 'equalto', 'system') | list %}"
    "{% set rules = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | join(' ') %}"
    "{{ bos_token }}{% for m in turns %}{% if m.role == 'user' %}{% if loop.index0 >= (turns | length) - 2 %}"
    "{{ '[INST] ' + rules + m.content + '[/INST]' }}{% else %}{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)

# the prompt opens a thought that history does not have (DeepSeek-R1)
OPEN_THOUGHT = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
)

# the system text is left out
DEAF = (
    "{% for m in messages if m.role != 'system' %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

DATED = "{{ '<|im_start|>system\n' + strftime_now('%d %b %Y') + '<|im_end|>\n' }}" + CHATML

EXACT = {
    name: globals()[name]
    for name in (
        "CHATML", "DEFAULT_SYSTEM", "HEADERS", "FOLDED", "ROLE_MARKS", "UNENDED", "WORDS", "INST", "MARKED", "DATED"
    )
}  # fmt: skip
