"""A causal language model over one pack: hidden states, then the weighted loss of the pack's targets.

``attach_packed_loss`` gives a transformers model the method ``packed_loss(pack)``, which FSDP2 can treat as a forward
of its own; ``check_packed_forward`` checks on a few tokens that a pack's logits are those of each sequence alone.
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from longalign.data.collate import Pack, collate
from longalign.errors import UserError
from longalign.model.loss import weighted_linear_cross_entropy

SCORED_AT_ONCE = 1024  # targets whose logits exist at the same time in `packed_scores`


def packed_hidden_states(model: PreTrainedModel, pack: Pack) -> Tensor:
    """Last hidden states ``[1, T, D]`` of a pack, in which no sequence sees another."""
    # one device sync a micro-step: transformers asks the device whether position_ids hold more than one sequence,
    # before it calls our mask function, which makes no mask either way
    output = model.base_model(
        input_ids=pack.input_ids,
        position_ids=pack.position_ids,
        use_cache=False,
        cu_seq_lens_q=pack.cu_seqlens,
        cu_seq_lens_k=pack.cu_seqlens,
        max_length_q=pack.max_seqlen,
        max_length_k=pack.max_seqlen,
    )
    return output.last_hidden_state * logits_scale(model)


def packed_loss(model: PreTrainedModel, pack: Pack) -> tuple[Tensor, Tensor]:
    """Sum of ``loss_weights × cross-entropy`` over the pack (fp32 scalar), and each target's cross-entropy, detached.

    The lm_head runs at target positions only; see ``weighted_linear_cross_entropy``.
    """
    lm_head = model.get_output_embeddings()
    return weighted_linear_cross_entropy(
        packed_hidden_states(model, pack),
        lm_head.weight,
        pack.labels,
        pack.loss_weights,
        bias=lm_head.bias,
        target_index=pack.target_index,
    )


def packed_logits(model: PreTrainedModel, pack: Pack) -> Tensor:
    """Logits ``[T, V]`` at every position, for tests and small inputs: training never makes them."""
    return model.get_output_embeddings()(packed_hidden_states(model, pack)).squeeze(0)


def packed_scores(model: PreTrainedModel, pack: Pack, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How likely each of the pack's N targets is, and another token in its place. Softmax in fp32.

    others: int64 ``[N]``, the other tokens. Returns three tensors ``[N]``: log-probabilities of the targets (fp32),
    whether each is the likeliest token (bool), log-probabilities of the others (fp32).
    """
    hidden = packed_hidden_states(model, pack).squeeze(0)[pack.target_index]
    targets = pack.labels.squeeze(0)[pack.target_index]
    lm_head = model.get_output_embeddings()
    scores = []
    for part, target, other in zip(*(x.split(SCORED_AT_ONCE) for x in (hidden, targets, others)), strict=True):
        logits = torch.nn.functional.linear(part, lm_head.weight, lm_head.bias).float()
        log_probs = logits.log_softmax(-1)
        pair = log_probs.gather(1, torch.stack([target, other], dim=1))
        scores.append((pair[:, 0], logits.argmax(-1) == target, pair[:, 1]))
    log_probs, likeliest, others_log_probs = (torch.cat(column) for column in zip(*scores, strict=True))
    return log_probs, likeliest, others_log_probs


PACKED_METHODS = (packed_loss, packed_logits, packed_scores)


def attach_packed_loss(model: PreTrainedModel) -> PreTrainedModel:
    """Give ``model`` the methods ``packed_loss``, ``packed_logits`` and ``packed_scores``."""
    for method in PACKED_METHODS:
        setattr(model, method.__name__, MethodType(method, model))
    return model


def logits_scale(model: PreTrainedModel) -> float:
    """The factor that some models apply to their logits (Cohere multiplies, Granite divides), 1 elsewhere."""
    config = model.config
    return float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1.0)


@torch.no_grad()
def check_packed_forward(model: PreTrainedModel, device: torch.device) -> float:
    """Compare the packed logits of two short sequences with the model's own forward of each alone.

    Three forwards of a dozen tokens, so that a model that cannot be packed is an error and not a bad training run.
    Every rank of a sharded model must call it.

    Returns:
        the root mean square of a token's differences, of the worst token, relative to the logits' standard deviation.

    Raises:
        UserError: the logits are not finite, the two differ by more than the compute dtype explains, or the model wants
            a mask, sinks or the like.
    """
    vocabulary = model.config.vocab_size
    ids = [[(7 * i + 3) % vocabulary for i in range(n)] for n in (5, 8)]
    pack = collate([(row, row) for row in ids]).to(device)
    method: Any = model.packed_logits  # the method and not the function: FSDP gathers weights when it is called
    try:
        packed = method(pack).float()
    except (NotImplementedError, ValueError) as error:  # of our attention, and of a mask that the config does not fit
        raise UserError(f"model.model: {model.config.model_type} cannot be packed: {error}") from error
    alone = torch.cat([model(torch.tensor([row], device=device), use_cache=False).logits[0].float() for row in ids])
    if not alone.isfinite().all():
        raise UserError(
            f"model.model: the logits of this {model.config.model_type} are not finite: its weights hold NaN or "
            "infinite numbers, or ones that its dtype has no room for"
        )
    difference = float((packed - alone).square().mean(dim=-1).sqrt().max() / alone.std())
    if not difference < 0.15:  # bf16 makes 0.02 in 80 layers (tests/model/test_packed.py); a wrong mask, near 1
        raise UserError(
            f"model.model: packed logits of {model.config.model_type} differ from each sequence alone by "
            f"{difference:.2g} standard deviations: this model cannot be packed"
        )
    return difference
