"""What others see of a sweep: a panel, a status, TensorBoard, MLflow."""
