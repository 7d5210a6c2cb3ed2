"""`holdfast ops`: what runs, what waits and why, what failed, and whether the machines keep up."""
