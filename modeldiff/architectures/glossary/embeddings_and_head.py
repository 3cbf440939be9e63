"""Stem and tail: embeddings, the last norm, the head."""

from __future__ import annotations

from modeldiff.architectures.glossary.entry import GlossaryEntry

_MATRIX = "y = W x"

OUTSIDE_ENTRIES: dict[str, GlossaryEntry] = {
    "embed_tokens": GlossaryEntry(
        "Token embedding",
        "A table with one row a token: the row is the vector with which a token enters the model. "
        "Nothing is computed, a row is looked up.",
        "x = E[token]",
        "Rows of frequent tokens move in any training, rows of tokens that never occurred hardly "
        "at all, so a small median beside a large spread is usual.",
    ),
    "embed_positions": GlossaryEntry(
        "Position embedding",
        "A table with one row a position. The row is added to the token's vector, and is the only "
        "thing that tells the model where in the text a token stands.",
        "x = E[token] + P[position]",
        "It has as many rows as the model can read tokens, so a longer context needs new rows. "
        "Late rows are seen least in training.",
    ),
    "embed_token_types": GlossaryEntry(
        "Segment embedding",
        "A small table that tells the first text from the second where a model reads two at once.",
        "x = E[token] + P[position] + S[segment]",
        "With two rows only, each is added to very many tokens: a change shifts them all alike.",
    ),
    "embed_layernorm": GlossaryEntry(
        "Norm of the embedding",
        "Norms each token's vector before the first layer sees it, which steadies training.",
        "norm",
        "Everything that follows reads through it, so each of its numbers scales one dimension of "
        "the whole model's input.",
    ),
    "project_in": GlossaryEntry(
        "Projection in",
        "Widens the embedding to the width of the layers, where the embedding is narrower.",
        _MATRIX,
        "It decides which directions of the layers the tokens can reach at the start.",
    ),
    "project_out": GlossaryEntry(
        "Projection out",
        "Narrows the last vector to the width of the embedding, so that the head can be the "
        "embedding.",
        _MATRIX,
        "It decides what of the last layer's vector the head can see.",
    ),
    "embed.shared": GlossaryEntry(
        "Token embedding, shared",
        "The same table of token vectors that the decoder reads, stored once for both.",
        "x = E[token]",
        "A change of the shared table reaches both the encoder and the decoder.",
    ),
    "embed.scale": GlossaryEntry(
        "Scale of the embedding",
        "Multiplies the embedding by a constant, so that it holds its own beside what the layers "
        "add.",
        "x = E[token] · √width",
        "Nothing is learned here.",
    ),
    "embed.add": GlossaryEntry(
        "Sum of the embeddings",
        "Adds the token's vector and its position's.",
        "x = E[token] + P[position]",
        "Nothing is learned here.",
    ),
    "norm": GlossaryEntry(
        "Final norm",
        "Brings the last layer's vector to unit size before the head reads it.",
        "norm",
        "It scales every token's score: a change here makes the model surer or less sure overall.",
    ),
    "lm_head": GlossaryEntry(
        "Head",
        "Compares the last vector with one row for each token of the vocabulary: the scores say "
        "which token comes next.",
        "logits = W x",
        "A row moves when its token becomes likelier or rarer as an answer. Where the head is tied "
        "it is the embedding, and both change as one.",
    ),
    "lm_head.softcap": GlossaryEntry(
        "Soft cap",
        "Bends the scores so that none passes a limit.",
        "c · tanh(logits / c)",
        "Nothing is learned here.",
    ),
    "lm_head.dense": GlossaryEntry(
        "Transform before the head",
        "One more matrix and activation that turn the last vector into one that the embedding, "
        "used as the head, can be compared with.",
        "h = activation(W x + b)",
        "Only the guess of a hidden word reads it: a change here leaves the layers' results as "
        "they are.",
    ),
    "lm_head.norm": GlossaryEntry(
        "Norm before the head",
        "Brings the transformed vector to unit size before the head reads it.",
        "norm",
        "It scales every token's score.",
    ),
    "embed_patches": GlossaryEntry(
        "Patch embedding",
        "Cuts a picture into squares and turns the colours of each into one vector, which then "
        "goes the way of a token.",
        "x = W · pixels(patch)",
        "All that the tower sees of the picture comes through it, so a change here changes every "
        "patch.",
    ),
    "embed_class": GlossaryEntry(
        "Vector of the whole picture",
        "One learned vector put before the patches. What it has gathered after the last layer "
        "stands for the whole picture.",
        "x = [c, patches]",
        "It is the same for every picture: a change shifts where the gathering starts.",
    ),
    "pooler": GlossaryEntry(
        "Pooler",
        "Takes the first token's last vector as that of the whole text, through one more matrix.",
        "p = tanh(W x + b)",
        "Only what judges whole texts reads it.",
    ),
    "classifier": GlossaryEntry(
        "Classifier",
        "One row for each class: the scores say which it is.",
        _MATRIX,
        "It is usually new in a fine-tuned model, so it tends to change most.",
    ),
    "conv1": GlossaryEntry(
        "First convolution over sound",
        "Reads the loudness of each pitch over a few moments and turns it into a vector.",
        "y = gelu(W ∗ sound)",
        "All that the model hears comes through it.",
    ),
    "conv2": GlossaryEntry(
        "Second convolution over sound",
        "Joins neighbouring moments and halves their number.",
        "y = gelu(W ∗ x)",
        "All that the model hears comes through it.",
    ),
    "text_projection": GlossaryEntry(
        "Projection of the text",
        "Brings what stands for the text into the space that texts and pictures share.",
        _MATRIX,
        "It decides which pictures a text is near to.",
    ),
    "visual_projection": GlossaryEntry(
        "Projection of the picture",
        "Brings what stands for the picture into the space that texts and pictures share.",
        _MATRIX,
        "It decides which texts a picture is near to.",
    ),
    "logit_scale": GlossaryEntry(
        "Scale of the scores",
        "One number: how sharply near and far pairs of text and picture are told apart.",
        "score = exp(s) · cosine(text, picture)",
        "It scales all scores alike and leaves their order as it is.",
    ),
    "enorm": GlossaryEntry(
        "Norm of the next token",
        "Norms the embedding of the next token, from which the token after it is predicted.",
        "norm",
        "It belongs to the extra prediction only, which a plain run leaves out.",
    ),
    "hnorm": GlossaryEntry(
        "Norm of the last result",
        "Norms the last layer's vector before the extra prediction reads it.",
        "norm",
        "It belongs to the extra prediction only, which a plain run leaves out.",
    ),
    "eh_proj": GlossaryEntry(
        "Joining projection",
        "Joins the next token's embedding and the last layer's vector into what the extra layer "
        "reads.",
        "y = W [enorm(e), hnorm(h)]",
        "It belongs to the extra prediction only, which a plain run leaves out.",
    ),
}
