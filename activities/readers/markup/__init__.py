"""Parts of a web page's tree that are read before it is partitioned: unseen text, notes, raised text, tables."""
