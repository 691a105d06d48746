"""evenodds: train generative adversarial nets and see who is winning."""

__version__ = "0.1.0"
