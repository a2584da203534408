"""Behaviours: each takes a store and is one."""
