"""Arithmetic that is never wrong: signs, products, rank, distances."""
