"""What tests share: data, oracles, and generated problems."""
