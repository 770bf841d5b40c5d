"""Reports on runs, for people: a page in Markdown beside the results, and one in HTML to look at and play with."""
