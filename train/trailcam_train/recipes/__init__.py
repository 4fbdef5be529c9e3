"""Recipes: one small file each, a docstring for people, ``RECIPE`` with the settings, ``build`` with the network."""
