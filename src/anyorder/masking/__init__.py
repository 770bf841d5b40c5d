"""Roles and ranks: orders, schedules, strategies, queries."""
