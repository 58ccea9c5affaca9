"""Cohorts with a known truth, written as the real files that a hospital has."""
