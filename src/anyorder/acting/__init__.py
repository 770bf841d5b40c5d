"""Acting with a trained model: policies of every kind, planning, imagination, rollouts, corruptions."""
