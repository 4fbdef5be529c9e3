"""The live loop, frame votes and visits."""
