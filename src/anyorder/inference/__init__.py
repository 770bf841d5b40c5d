"""From a question to an answer: decoding, the chain rule, queries by name, futures."""
