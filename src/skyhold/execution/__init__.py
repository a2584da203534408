"""Who does the work: executors in the sense of ``concurrent.futures``."""

from skyhold.execution.threads import MultiThreadExecutor, SingleThreadExecutor

__all__ = ["MultiThreadExecutor", "SingleThreadExecutor"]
