"""Reading and checking of TFLite files."""
