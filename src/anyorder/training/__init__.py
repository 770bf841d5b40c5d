"""Loss, plan of updates, trainer, and what a run writes down."""
