"""One model by itself: its facts, its tensors and its diagram, compared with nothing."""
