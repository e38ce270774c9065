"""The lineage store in MLflow. Importing this room does not import MLflow; its `store` does.

MLflow tells its makers of calls of its functions, unless it is told not to before it is imported. Nobody who adds this
package has agreed to that, so it is off unless the user has set MLflow's own setting.
"""

from __future__ import annotations

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
