"""The roots that the rehearsals need."""

from roots import Recipe, base_wheels

CAMERA = Recipe(
    name="camera",
    suite="trixie",
    # The GStreamer packages are for the RTSP server of system_test_streams.py.
    packages=(
        *("python3", "python3-venv", "python3-dev", "gcc", "libc6-dev", "ca-certificates"),
        *("python3-numpy", "python3-pil", "python3-prctl", "libgomp1"),
        *("python3-gst-1.0", "gir1.2-gst-rtsp-server-1.0"),
        *("gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good", "gstreamer1.0-plugins-ugly"),
    ),
    # trixie's own libcamera 0.4.0 leaves the metadata of the virtual pipeline's frames empty.
    newer=("python3-libcamera", "libcamera-tools", "libcamera-ipa"),
    wheels=("picamera2==0.3.38", *base_wheels()),
    sees_apt=True,
)

DEVICE = Recipe(
    name="device",
    suite="trixie",
    packages=(
        *("python3", "python3-venv", "ca-certificates", "libgomp1"),
        *("systemd", "systemd-sysv", "dbus", "udev", "procps", "iproute2"),
    ),
    wheels=base_wheels(),
    setup="""
        systemctl mask systemd-networkd.service systemd-resolved.service
        : > /etc/fstab
        echo trailcam-rehearsal > /etc/hostname
    """,
)

FRESH = Recipe(
    name="fresh",
    suite="trixie",
    # What a fresh Raspberry Pi OS Lite has of it: SSH, sudo without a password for its first user, no Trailcam.
    packages=(
        *("python3", "python3-venv", "ca-certificates", "libgomp1", "openssh-server", "sudo"),
        *("systemd", "systemd-sysv", "dbus", "udev", "procps", "iproute2"),
    ),
    setup="""
        systemctl mask systemd-networkd.service systemd-resolved.service apt-daily.timer apt-daily-upgrade.timer \\
            dpkg-db-backup.timer e2scrub_all.timer fstrim.timer logrotate.timer
        systemctl enable ssh.service
        useradd --create-home --shell /bin/bash pi
        echo 'pi ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/010_pi-nopasswd
        : > /etc/fstab
        echo fresh > /etc/hostname
    """,
)

CARD = Recipe(
    name="card",
    suite="trixie",
    # What a Raspberry Pi OS 13 that never started has of it: cloud-init that looks at the boot partition, no user.
    packages=(*FRESH.packages, "cloud-init", "netplan.io"),
    setup="""
        systemctl mask systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service \\
            systemd-resolved.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \\
            fstrim.timer logrotate.timer
        systemctl disable ssh.service
        mkdir -p /boot/firmware
        cd /boot/firmware
        echo 'console=tty1 root=PARTUUID=1-02 rootfstype=ext4 fsck.repair=yes rootwait quiet' > cmdline.txt
        echo 'arm_64bit=1' > config.txt
        echo '#cloud-config' > user-data
        printf 'dsmode: local\\ninstance_id: rpios-image\\n' > meta-data
        {
            echo 'datasource_list: [NoCloud, None]'
            echo 'datasource: {NoCloud: {seedfrom: "file:///boot/firmware"}}'
            echo 'ssh_deletekeys: false'
            echo 'ssh_genkeytypes: []'
        } > /etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg
        : > /etc/fstab
        echo raspberrypi > /etc/hostname
    """,
)

ARM64 = Recipe(
    name="arm64",
    suite="bookworm",
    architecture="arm64",
    packages=("python3", "python3-venv", "ca-certificates", "libgomp1"),
    wheels=base_wheels(),
)
