"""Measuring a generator: metrics by name, each with its protocol, sample count and the perfect score."""

from .measuring import check_metrics, evaluate, measure
from .metric import Metric
from .names import check_metric, find_metric, natural_metrics
from .record import Evaluation, count_name, unit_interval
from .subject import Subject
from .table import METRICS

__all__ = [
    "METRICS",
    "Evaluation",
    "Metric",
    "Subject",
    "check_metric",
    "check_metrics",
    "count_name",
    "evaluate",
    "find_metric",
    "measure",
    "natural_metrics",
    "unit_interval",
]
