"""The needle test: sentences are hidden in long texts at known depths, and a model is asked for them.

    tasks      the hidden sentences and questions      answering     local models, servers and fakes
    haystack   the text around them                    run           answers and scores cells, one row each
    build      makes prompts of cells                  scoring       how much of an answer is right
    recipe     makes a row's prompt again              statistics    recall with intervals, effective length
    forced     scores without generating               report        the files of a run

Building, scoring and statistics need neither torch nor transformers; tokenizers are used as an `encoders.Encoder`:

    encoder = ChatPrompts(tokenizer, "template", "name")
    builder = Builder(make_haystack(encoder, longest=32_768), encoder, max_new_tokens=64)
    prompt = builder.build(Cell(32_768, depth=50, seed=0, task="kv"))   # .messages, .input_ids, .item.answers
    forced = builder.forced(prompt)                                     # ids to score an answer without generating it
"""
