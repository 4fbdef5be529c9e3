"""The recipe: schema and TOML form."""
