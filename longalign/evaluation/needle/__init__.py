"""The needle test: sentences hidden in long texts at known depths, and how many of them a model finds.

    tasks      what is hidden and asked           answering            who answers
    haystack   in what                            run                  from cells to rows
    build      from cells to prompts              scoring, statistics  from rows to a summary
    recipe     from a row back to its prompt      report               what is left behind

Building, scoring and statistics know neither torch nor transformers; a tokenizer enters as an `encoders.Encoder`:

    encoder = ChatPrompts(tokenizer, "template", "name")
    builder = Builder(make_haystack(encoder, longest=32_768), encoder, max_new_tokens=64)
    prompt = builder.build(Cell(32_768, depth=50, seed=0, task="kv"))   # .messages, .input_ids, .item.answers
    forced = builder.forced(prompt)                                     # ids to score an answer without generating it
"""
