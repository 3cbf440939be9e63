"""Two tokenizers: how each cuts text, its tokens, and the same text cut by both."""
