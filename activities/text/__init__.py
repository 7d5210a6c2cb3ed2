"""Scripts, words and sentences of a text: pure functions without a model and without I/O."""
