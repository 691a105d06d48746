"""The command line: one thin file per verb; nothing here imports PyTorch before a verb needs it."""
