"""What people look at after a comparison: report.html, report.md, results.csv."""
