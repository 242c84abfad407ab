"""Task files for the lm-evaluation-harness that read local JSON lines: X-CSQA, X-CODAH and XCOPA, in any language."""
