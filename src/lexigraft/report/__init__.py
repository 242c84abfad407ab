"""The report of a comparison: report.html, report.md, results.csv."""
