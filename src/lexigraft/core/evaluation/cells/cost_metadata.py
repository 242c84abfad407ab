"""Keys of a comparison's metadata about its cost: parameters of the models, seconds of pre-training."""

SOURCE_PARAMETERS, PRETRAINED_PARAMETERS = "source_parameters", "poor_model_parameters"
PRETRAINING_SECONDS = "pretraining_seconds"
