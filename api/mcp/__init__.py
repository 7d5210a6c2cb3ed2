"""The Model Context Protocol: knowledge bases as tools of assistants, over HTTP and over stdio."""
