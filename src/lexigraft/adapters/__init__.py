"""Adapters to outside frameworks: training (Trainer, PEFT), tracking (MLflow), vectors (fastText), word aligners."""
