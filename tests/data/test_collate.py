import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longalign.data.collate import collate, collate_coded
from longalign.data.tokenized import decode_targets, encode_targets

EOS = 7


@st.composite
def sequence(draw):
    """(ids, labels): labels unshifted, of the three kinds that the cache knows."""
    length = draw(st.integers(1, 30))
    ids = np.array(draw(st.lists(st.integers(0, 40), min_size=length, max_size=length)))
    kinds = np.array(draw(st.lists(st.integers(0, 2), min_size=length, max_size=length)))
    return ids, np.where(kinds == 0, -100, np.where(kinds == 1, ids, EOS))


sequences = st.lists(sequence(), min_size=1, max_size=6)


@given(sequences)
def test_labels_are_shifted_inside_each_sequence_and_never_cross(rows):
    pack = collate(rows)
    edges = pack.cu_seqlens.tolist()
    assert edges[0] == 0 and edges[-1] == pack.num_tokens == sum(len(ids) for ids, _ in rows)
    for (ids, labels), start, stop in zip(rows, edges[:-1], edges[1:], strict=True):
        assert pack.input_ids[0, start:stop].tolist() == ids.tolist()
        assert pack.labels[0, start:stop].tolist() == [*labels[1:].tolist(), -100]
        assert pack.position_ids[0, start:stop].tolist() == list(range(len(ids)))
    assert pack.max_seqlen == max(len(ids) for ids, _ in rows)
    assert pack.lengths.tolist() == [len(ids) for ids, _ in rows]


@given(sequences)
def test_weights_of_a_pack_sum_to_what_the_step_counts(rows):
    targets = [int(np.sum(labels[1:] != -100)) for _, labels in rows]
    expected = {"sequence": sum(n > 0 for n in targets), "token": sum(targets), "pack": int(any(targets))}
    for loss, total in expected.items():
        pack = collate(rows, loss=loss)
        assert pack.loss_weights.double().sum().item() == pytest.approx(total, rel=1e-5)
        assert pack.step_weight == pytest.approx(total)
        assert pack.num_targets == sum(targets)
        assert torch.equal(pack.loss_weights > 0, pack.labels != -100)


@given(sequences)
def test_rows_of_the_cache_give_the_same_pack(rows):
    coded = [(ids.astype(np.int32), encode_targets(ids, labels, EOS)) for ids, labels in rows]
    for (ids, labels), (_, codes) in zip(rows, coded, strict=True):
        assert np.array_equal(decode_targets(ids, codes, EOS), labels)
    one, other = collate(rows), collate_coded(coded, EOS)
    for name, value in vars(one).items():
        same = vars(other)[name]
        assert torch.equal(value, same) if isinstance(value, torch.Tensor) else np.array_equal(value, same), name


def test_types_are_those_of_the_contract():
    pack = collate([([1, 2, 3], [-100, 2, 3]), ([4], [-100])], source_ids=[1, 0], step_weight=5)
    assert pack.input_ids.dtype == pack.position_ids.dtype == pack.labels.dtype == pack.source_ids.dtype == torch.int64
    assert pack.cu_seqlens.dtype == torch.int32 and pack.loss_weights.dtype == torch.float32
    assert pack.input_ids.shape == pack.loss_weights.shape == (1, 4)
    assert pack.cu_seqlens.tolist() == [0, 3, 4]
    assert pack.labels.tolist() == [[2, 3, -100, -100]]
    assert pack.loss_weights.tolist() == [[0.5, 0.5, 0, 0]]
    assert (pack.max_seqlen, pack.step_weight, pack.num_targets, pack.num_sequences) == (3, 5.0, 2, 2)
    assert pack.source_ids.tolist() == [1, 0]


@pytest.mark.parametrize("loss", ["sequence", "token", "pack"])
def test_an_empty_pack_is_one_token_without_weight(loss):
    pack = collate([], loss=loss, step_weight=3)
    assert pack.is_dummy and pack.num_sequences == 0
    assert pack.input_ids.shape == (1, 1) and pack.cu_seqlens.tolist() == [0, 1] and pack.max_seqlen == 1
    assert pack.loss_weights.sum() == 0 and pack.labels.tolist() == [[-100]] and pack.source_ids.tolist() == [-1]
    assert pack.step_weight == 3


def test_a_pack_moves_with_all_its_tensors():
    pack = collate([([1, 2], [-100, 2])]).to("meta")
    assert all(value.device.type == "meta" for value in vars(pack).values() if isinstance(value, torch.Tensor))
    assert pack.lengths.tolist() == [2]


@given(st.one_of(sequences, st.just([])))
def test_a_pack_survives_the_way_from_a_loader_worker(rows):
    pack = collate(rows)
    copy = pickle.loads(pickle.dumps(pack))
    for name, value in vars(pack).items():
        same = vars(copy)[name]
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, same) and value.dtype == same.dtype and same.is_contiguous(), name
        else:
            assert np.array_equal(value, same), name
