"""A study's results as a page of tables and plots."""
