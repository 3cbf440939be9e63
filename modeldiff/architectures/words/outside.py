"""Stem and tail: embeddings, the last norm, the head."""

from __future__ import annotations

from modeldiff.architectures.words.text import Text

_MATRIX = "y = W x"

OUTSIDE: dict[str, Text] = {
    "embed_tokens": Text(
        "Token embedding",
        "A table with one row a token: the row is the vector with which a token enters the model. "
        "Nothing is computed, a row is looked up.",
        "x = E[token]",
        "Rows of frequent tokens move in any training, rows of tokens that never occurred hardly "
        "at all, so a small median beside a large spread is usual.",
    ),
    "embed_positions": Text(
        "Position embedding",
        "A table with one row a position. The row is added to the token's vector, and is the only "
        "thing that tells the model where in the text a token stands.",
        "x = E[token] + P[position]",
        "It has as many rows as the model can read tokens, so a longer context needs new rows. "
        "Late rows are seen least in training.",
    ),
    "embed_token_types": Text(
        "Segment embedding",
        "A small table that tells the first text from the second where a model reads two at once.",
        "x = E[token] + P[position] + S[segment]",
        "With two rows only, each is added to very many tokens: a change shifts them all alike.",
    ),
    "embed_layernorm": Text(
        "Norm of the embedding",
        "Norms each token's vector before the first layer sees it, which steadies training.",
        "norm",
        "Everything that follows reads through it, so each of its numbers scales one dimension of "
        "the whole model's input.",
    ),
    "project_in": Text(
        "Projection in",
        "Widens the embedding to the width of the layers, where the embedding is narrower.",
        _MATRIX,
        "It decides which directions of the layers the tokens can reach at the start.",
    ),
    "project_out": Text(
        "Projection out",
        "Narrows the last vector to the width of the embedding, so that the head can be the "
        "embedding.",
        _MATRIX,
        "It decides what of the last layer's vector the head can see.",
    ),
    "embed.scale": Text(
        "Scale of the embedding",
        "Multiplies the embedding by a constant, so that it holds its own beside what the layers "
        "add.",
        "x = E[token] · √width",
        "Nothing is learned here.",
    ),
    "embed.add": Text(
        "Sum of the embeddings",
        "Adds the token's vector and its position's.",
        "x = E[token] + P[position]",
        "Nothing is learned here.",
    ),
    "norm": Text(
        "Final norm",
        "Brings the last layer's vector to unit size before the head reads it.",
        "norm",
        "It scales every token's score: a change here makes the model surer or less sure overall.",
    ),
    "lm_head": Text(
        "Head",
        "Compares the last vector with one row for each token of the vocabulary: the scores say "
        "which token comes next.",
        "logits = W x",
        "A row moves when its token becomes likelier or rarer as an answer. Where the head is tied "
        "it is the embedding, and both change as one.",
    ),
    "lm_head.softcap": Text(
        "Soft cap",
        "Bends the scores so that none passes a limit.",
        "c · tanh(logits / c)",
        "Nothing is learned here.",
    ),
}
