"""The packs of a run by number, counted through all epochs.

In: a mixture and the plans of the epochs. Out: a `Pack` for each number.
"""

from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from longalign.data.collate import LOSSES, Pack, collate_coded
from longalign.data.mixture import Mixture
from longalign.data.plan import BatchPlan


class PackDataset(Dataset):
    """Map-style data set over the packs of a run.

    The packs of epoch 0 come first, then those of epoch 1, and so on, so that a position in the run is one integer.

    plans: one for each epoch; their sequence indices are those of `mixture`. loss: see `collate`; the normaliser that
    each pack carries is that of its step in the plan.
    """

    def __init__(self, mixture: Mixture, plans: Sequence[BatchPlan], *, loss: str = "sequence"):
        assert loss in LOSSES, f"loss {loss!r} is not one of {LOSSES}"
        self.mixture, self.plans, self.loss = mixture, list(plans), loss
        # epochs of 8, 16, 8 packs -> [0, 8, 24, 32]
        self._starts = np.cumsum([0, *(plan.num_packs for plan in self.plans)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def locate(self, pack_number: int) -> tuple[int, int]:
        """(epoch, pack number inside the epoch's plan).

        Raises:
            IndexError: the run has no such pack.
        """
        if not 0 <= pack_number < len(self):
            raise IndexError(f"pack {pack_number} of {len(self)}")
        epoch = int(np.searchsorted(self._starts, pack_number, side="right")) - 1
        return epoch, pack_number - int(self._starts[epoch])

    def __getitem__(self, pack_number: int) -> Pack:
        epoch, local = self.locate(int(pack_number))
        plan = self.plans[epoch]
        indices = plan.pack(local)
        return collate_coded(
            [self.mixture[index] for index in indices],
            self.mixture.eos_id,
            loss=self.loss,
            step_weight=step_weight(plan, local // plan.packs_per_step, self.loss),
            source_ids=self.mixture.source_ids[indices],
        )


def step_weight(plan: BatchPlan, step: int, loss: str) -> float:
    """M: the sum of the loss weights over all packs of a step of `plan`."""
    sums = {"sequence": plan.step_sequences, "token": plan.step_targets, "pack": plan.step_packs}
    return float(sums[loss][step])
