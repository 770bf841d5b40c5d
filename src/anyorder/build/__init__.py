"""Where configurations become objects: runs, language models, collecting, judging."""
