"""Messages to people: pushes through Apprise, and web services with a form of their own."""
