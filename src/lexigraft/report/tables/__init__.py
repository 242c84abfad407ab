"""Tables of a comparison's report as text cells, shared by the HTML page, the Markdown file and the terminal."""
