"""Names of a comparison's facts that only its cost account shows."""

SOURCE_PARAMETERS, PRETRAINED_PARAMETERS = "source_parameters", "poor_model_parameters"
PRETRAINING_SECONDS = "pretraining_seconds"
