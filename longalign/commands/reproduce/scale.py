"""The amounts of data, lengths and tests of the recipe: in full, and so small that it runs on a CPU."""

from dataclasses import dataclass

EACH_STEP = 16  # sequences in a step of `naive` and `sorted`, as many as `longalign plan` counts for the others

COMPARED = 0.06  # share of the data that is used to compare ways of batching and shares of long data


@dataclass(frozen=True)
class Scale:
    """The amounts of one scale. Lengths are in tokens; `long`, `medium`, `short`, `own` and `held_out` count rows."""

    length: int
    shortest: int  # least length of the long documents
    grid: tuple[str, ...]  # options of the needle test for the task `single`, the paper's heat map
    probe: tuple[str, ...]  # the same for the other tasks; an effective length needs at least 22 prompts a length
    long: int  # documents from `shortest` to `length`, in training so many of invented prose and of real text
    medium: int  # the same from a quarter of `shortest` to `shortest`: as many questions for fewer tokens
    short: int
    asked: int  # everyday questions to the model itself; it ends three in five of its answers
    own: int  # of these answers, which keep the model close to what it was; in training each is seen up to twice
    held_out: int  # of each kind
    questions: str  # about each document, LOW:HIGH
    answer: int  # greatest length of an answer of the model itself
    fit: tuple[str, ...] = ()  # more options of every fit


SCALES = {
    "full": Scale(
        length=65536,
        shortest=4096,
        grid=("--lengths=1000:64000:10", "--depths=10:90:10", "--seeds=3"),
        probe=("--lengths=1000,4000,16000,32000,64000", "--depths=10,50,90", "--seeds=8"),
        long=750,
        medium=1800,
        short=450,
        asked=5200,
        own=5000,
        held_out=60,
        questions="48:96",
        answer=512,
    ),
    "small": Scale(
        length=2048,
        shortest=1024,
        grid=("--lengths=500,1800", "--depths=10,90", "--seeds=1"),
        probe=("--lengths=500,1800", "--depths=50", "--seeds=1"),
        long=12,
        medium=8,
        short=8,
        asked=16,
        own=8,
        held_out=4,
        questions="2:4",
        answer=192,
        fit=("--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.devices=1"),
    ),
}
