"""First-boot files for a freshly imaged Raspberry Pi OS card: a board that comes up as a camera of this fleet.

card          which system is on the card, and what its boot partition takes
cloud_init    Raspberry Pi OS 13: user-data, meta-data, network-config
custom_toml   Raspberry Pi OS 12: custom.toml, and a hook in cmdline.txt
first_boot    the script and the files that make a camera of it, the same for both
"""
