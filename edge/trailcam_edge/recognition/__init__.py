"""The live loop, votes and visits."""
