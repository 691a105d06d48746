"""Metrics: pure functions of samples or features, without files, networks or settings."""
