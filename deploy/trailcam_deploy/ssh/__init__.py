"""Commands and transfers over OpenSSH."""
