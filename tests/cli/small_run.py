"""The settings of a run that is over in a moment."""

TINY = ("--examples", "1280", "--threads", "1", "--set", "sample_count=4", "--set", "report_every=640")
