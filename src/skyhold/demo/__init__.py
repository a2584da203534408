"""The main job on real input: flights from a bucket, validated, as typed Parquet, with the damaged rows beside it."""
