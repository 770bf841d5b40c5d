"""Any-Order Masked Training: agents that learn to rebuild any part of a trajectory from the rest."""

__version__ = "0.2.0"
