"""How much of everything: the recipe as it is meant, and so small that a CPU shows that it works."""

from dataclasses import dataclass

EACH_STEP = 14  # sequences, where packs hold one each: as many as `longalign plan` counts in one of the others

PASSES = 2  # over the own answers, which hold the model to what it was

COMPARED = 0.1  # share of the data on which ways of batching and shares are compared


@dataclass(frozen=True)
class Scale:
    """How much of everything. Lengths are tokens; `long` to `held_out` count conversations."""

    length: int
    shortest: int  # of the long documents
    grid: tuple[str, ...]  # of the task `single`, the paper's heat map
    probe: tuple[str, ...]  # of the other tasks; 22 prompts a length at least give an effective length
    long: int  # documents of the shortest length to all of it
    medium: int  # shorter ones, down to a quarter of that: as many questions for a fraction of the tokens
    short: int
    own: int  # answers, of twice as many questions: some do not end
    held_out: int
    questions: str  # about a long document
    answer: int  # tokens of an own answer at most
    fit: tuple[str, ...] = ()  # options of every fit


SCALES = {
    "full": Scale(
        length=65536,
        shortest=4096,
        grid=("--lengths=1000:64000:10", "--depths=10:90:10", "--seeds=3"),
        probe=("--lengths=1000,4000,16000,32000,64000", "--depths=10,50,90", "--seeds=8"),
        long=1300,
        medium=2500,
        short=400,
        own=1700,
        held_out=60,
        questions="24:48",
        answer=512,
    ),
    "small": Scale(  # to see that all works, on a CPU
        length=2048,
        shortest=1024,
        grid=("--lengths=500,1800", "--depths=10,90", "--seeds=1"),
        probe=("--lengths=500,1800", "--depths=50", "--seeds=1"),
        long=12,
        medium=8,
        short=8,
        own=8,
        held_out=4,
        questions="2:4",
        answer=192,
        fit=("--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.devices=1"),
    ),
}
