"""A family's description names what the common graph knows, or says that it is its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modeldiff.architectures.families.fused import Fused
from modeldiff.architectures.families.known.bert import BERT
from modeldiff.architectures.families.known.llama import LLAMA


def test_a_misspelt_component_is_an_error_at_once() -> None:
    layer = {**LLAMA.layer, "self_attn.q_proj": "self_attn.q_porj"}
    with pytest.raises(ValueError, match=r"family llama .* does not know: self_attn.q_porj"):
        replace(LLAMA, layer=layer)
    outside = {**LLAMA.outside, "lm_head.bias": "lm_haed:bias"}
    with pytest.raises(ValueError, match="lm_haed"):
        replace(LLAMA, outside=outside)
    with pytest.raises(ValueError, match="dwon_proj"):
        replace(LLAMA, transposed=frozenset({"mlp.dwon_proj"}))
    with pytest.raises(ValueError, match="q_porj"):
        replace(LLAMA, fused={"self_attn.qkv_proj": Fused(("q_porj", "k_proj"))})


def test_an_operation_is_no_component_that_is_stored() -> None:
    with pytest.raises(ValueError, match="activation"):
        replace(LLAMA, layer={**LLAMA.layer, "mlp.act": "mlp.activation"})


def test_what_is_declared_as_its_own_must_be_named() -> None:
    with pytest.raises(ValueError, match="does not name: poolre"):
        replace(BERT, own=BERT.own | {"poolre"})
    gates = {**LLAMA.layer, "gate": "self_attn.gate"}
    assert replace(LLAMA, layer=gates, own=frozenset({"self_attn.gate"})).own
