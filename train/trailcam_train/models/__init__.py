"""Networks and backbones."""
