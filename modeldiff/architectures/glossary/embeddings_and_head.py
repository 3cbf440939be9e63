"""Stem and tail: embeddings, the last norm, the head."""

from __future__ import annotations

from modeldiff.architectures.glossary.entry import GlossaryEntry

_MATRIX = "y = W x"

OUTSIDE_ENTRIES: dict[str, GlossaryEntry] = {
    "embed_tokens": GlossaryEntry(
        "Token embedding",
        "A table with one row per token: the vector with which the token enters the model. "
        "Nothing is computed, a row is looked up.",
        "x = E[token]",
        "Rows of frequent tokens move in any training, rows of tokens that never occurred hardly "
        "at all: a small median with a wide spread is usual.",
    ),
    "embed_positions": GlossaryEntry(
        "Position embedding",
        "A table with one row per position. The row is added to the token's vector, and is all "
        "that the model knows of its position.",
        "x = E[token] + P[position]",
        "It has one row for each position of the context, so a longer context needs new rows. "
        "Late rows are seen least in training.",
    ),
    "embed_token_types": GlossaryEntry(
        "Segment embedding",
        "A small table that tells the first text from the second where a model reads two at once.",
        "x = E[token] + P[position] + S[segment]",
        "Each of its few rows is added to very many tokens: a change shifts them all alike.",
    ),
    "embed_layernorm": GlossaryEntry(
        "Norm of the embedding",
        "Normalises each token's vector before the first layer, which stabilises training.",
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
        "Multiplies the embedding by a constant, to match the scale of what the layers add.",
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
        "Compares the last vector with one row per token of the vocabulary: the scores (logits) of "
        "the next token.",
        "logits = W x",
        "A row moves when its token becomes likelier or rarer as an answer. Where the head is tied "
        "it is the embedding, and both change as one.",
    ),
    "lm_head.softcap": GlossaryEntry(
        "Soft cap",
        "Limits the scores smoothly, by tanh.",
        "c · tanh(logits / c)",
        "Nothing is learned here.",
    ),
    "lm_head.dense": GlossaryEntry(
        "Transform before the head",
        "One more matrix and activation that turn the last vector into one that the embedding, "
        "used as the head, can be compared with.",
        "h = activation(W x + b)",
        "Only the prediction of masked tokens reads it: a change here leaves the layers' outputs "
        "as they are.",
    ),
    "lm_head.norm": GlossaryEntry(
        "Norm before the head",
        "Brings the transformed vector to unit size before the head reads it.",
        "norm",
        "It scales every token's score.",
    ),
    "embed_patches": GlossaryEntry(
        "Patch embedding",
        "Cuts an image into patches and projects the pixels of each to one vector, which is then "
        "treated like a token.",
        "x = W · pixels(patch)",
        "All the tower sees of the image comes through it: a change here affects every patch.",
    ),
    "embed_class": GlossaryEntry(
        "Class token",
        "One learned vector put before the patches. After the last layer it represents the whole "
        "image.",
        "x = [c, patches]",
        "It is the same for every image: a change shifts its starting point.",
    ),
    "pooler": GlossaryEntry(
        "Pooler",
        "Represents the whole text by the first token's last vector, through one more matrix.",
        "p = tanh(W x + b)",
        "Only classifiers of whole texts read it.",
    ),
    "classifier": GlossaryEntry(
        "Classifier",
        "One row per class: the scores (logits) of the classes.",
        _MATRIX,
        "It is usually new in a fine-tuned model, so it tends to change most.",
    ),
    "conv1": GlossaryEntry(
        "First audio convolution",
        "Turns a few frames of the spectrogram into one vector.",
        "y = gelu(W ∗ spectrogram)",
        "All the model hears comes through it.",
    ),
    "conv2": GlossaryEntry(
        "Second audio convolution",
        "Combines neighbouring frames and halves their number.",
        "y = gelu(W ∗ x)",
        "All the model hears comes through it.",
    ),
    "text_projection": GlossaryEntry(
        "Projection of the text",
        "Projects the text's vector to the space shared by texts and images.",
        _MATRIX,
        "It decides which images a text is close to.",
    ),
    "visual_projection": GlossaryEntry(
        "Projection of the image",
        "Projects the image's vector to the space shared by texts and images.",
        _MATRIX,
        "It decides which texts an image is close to.",
    ),
    "logit_scale": GlossaryEntry(
        "Scale of the scores",
        "One number, an inverse temperature: how sharply matching pairs of text and image stand "
        "out.",
        "score = exp(s) · cosine(text, image)",
        "It scales all scores alike and leaves their order as it is.",
    ),
    "enorm": GlossaryEntry(
        "Norm of the next token",
        "Normalises the next token's embedding, from which the token after it is predicted.",
        "norm",
        "It belongs to the extra prediction only, which a plain run leaves out.",
    ),
    "hnorm": GlossaryEntry(
        "Norm of the last result",
        "Normalises the last layer's vector before the extra prediction reads it.",
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
