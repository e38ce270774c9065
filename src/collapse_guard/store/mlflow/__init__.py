"""The lineage store in MLflow. Importing this room does not import MLflow; its `store` does."""
