"""Image files of any kind: listed, labelled, decoded once, and kept as one memory-mapped array."""
