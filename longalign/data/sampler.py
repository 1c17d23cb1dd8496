"""The numbers of the packs that one rank sees in a run, in order, from the step at which it begins."""

from collections.abc import Iterator

from torch.utils.data import Sampler


class PlanSampler(Sampler[int]):
    """Yields the pack numbers of one rank: pack p = step * packs_per_step + micro * world_size + rank.

    For a loader of ready packs: `DataLoader(pack_dataset, batch_size=None, sampler=PlanSampler(...))`.
    `len` is that of the whole run, also when resumed at `start_step`, because Lightning counts on from the restored
    position up to it. Only the first iteration begins at `start_step`, later ones begin at step 0.
    """

    def __init__(self, num_packs: int, packs_per_step: int, *, world_size: int = 1, rank: int = 0, start_step: int = 0):
        assert packs_per_step % world_size == 0, "the plan has checked this"
        assert num_packs % packs_per_step == 0, "the last step is filled up"
        assert 0 <= rank < world_size and 0 <= start_step * packs_per_step <= num_packs
        self.num_packs, self.packs_per_step = num_packs, packs_per_step
        self.world_size, self.rank, self.start_step = world_size, rank, start_step

    def __len__(self) -> int:
        return self.num_packs // self.world_size

    def __iter__(self) -> Iterator[int]:
        start, self.start_step = self.start_step, 0
        yield from range(start * self.packs_per_step + self.rank, self.num_packs, self.world_size)
