"""Data: one file per format, one loader, explicit splits."""
