"""Writes people's projects and roles into their tokens."""
