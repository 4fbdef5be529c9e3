"""First-boot files for a freshly imaged Raspberry Pi OS card, so that the board starts as a camera of this fleet.

card          the system on the card, and the settings of its boot partition
cloud_init    Raspberry Pi OS 13: user-data, meta-data, network-config
custom_toml   Raspberry Pi OS 12: custom.toml, and a hook in cmdline.txt
first_boot    the script and the files that make a camera of it, for both systems
"""
