"""Dify's external knowledge: its workflows retrieve passages from knowledge bases."""
