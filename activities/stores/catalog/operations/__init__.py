"""What operators see of the catalogue: jobs, failures, throughput, index generations. Every query uses an index."""
