"""Checks: what is wrong or odd about the cases that a plan is made for."""
