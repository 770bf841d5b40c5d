"""Tasks with experts, one module for each package that brings the environments; imported only when one is made."""
