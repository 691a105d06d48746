"""evenodds: train generative adversarial nets and see who is winning."""
