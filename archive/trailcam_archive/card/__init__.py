"""A card of photographs and clips becomes visits in a store; ``docs/archives.md`` is the manual."""
