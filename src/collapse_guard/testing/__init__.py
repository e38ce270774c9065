"""DOORS: what every store, probe and indicator keeps, as tests that you run on your own.

Subclass a contract in a test file and say how your thing is made; pytest and unittest then run every check by its name.
Nothing here imports a test runner, a trainer or MLflow. `docs/extending.md` has a complete example of each.
"""

from collapse_guard.testing.indicators import IndicatorContract
from collapse_guard.testing.metrics import MetricContract
from collapse_guard.testing.probes import ProbeContract
from collapse_guard.testing.stores import StoreContract, example_assessment

__all__ = ["IndicatorContract", "MetricContract", "ProbeContract", "StoreContract", "example_assessment"]
