"""Several runs side by side: what was measured of them, and a refusal of what was not measured alike."""
