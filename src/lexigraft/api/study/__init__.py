"""Studies: recipes whose cells run here or as jobs on other machines; comparisons and transfer studies."""
