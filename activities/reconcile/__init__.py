"""Compares catalogue, blobs, Milvus and Temporal, and repairs discrepancies."""
