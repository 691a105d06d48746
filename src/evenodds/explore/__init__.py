"""Tools for the latent space of any trained generator: each draws from a `Sampler` and returns values.

Read space.py first: a point is a latent z, or a style w where the generator has styles.
"""
