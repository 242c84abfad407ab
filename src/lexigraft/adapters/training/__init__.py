"""Training with transformers' Trainer and PEFT: adaptation and pre-training from scratch."""
