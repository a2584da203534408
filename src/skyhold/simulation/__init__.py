"""Many runs of a simulator, whose inputs, state and results live in a store."""
