"""Messages to people: pushes through Apprise, and web services with a form or a JSON template."""
