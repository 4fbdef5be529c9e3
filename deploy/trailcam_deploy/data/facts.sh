# Print facts of a device, one "name=value" a line. Nothing is changed.
put() { printf '%s=%s\n' "$1" "$2"; }
put bits "$(getconf LONG_BIT 2>/dev/null || echo 0)"
put machine "$(uname -m)"
put hostname "$(cat /proc/sys/kernel/hostname)"
put system "$(. /etc/os-release 2>/dev/null; echo "${PRETTY_NAME:-unknown}")"
put systemd "$([ -d /run/systemd/system ] && echo yes || echo no)"
put apt "$(command -v apt-get >/dev/null && echo yes || echo no)"
put python "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)"
put numpy "$(python3 -c 'import numpy; print(numpy.__version__)' 2>/dev/null || true)"
for package in $1; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || put missing "$package"
done
free() { df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print int($4 / 1000) }'; }
put opt_free_mb "$(free /opt)"
put var_free_mb "$(free /var/lib)"
for folder in /opt /etc /var/lib; do
    if ! (: > "$folder/.trailcam-deploy") 2>/dev/null; then put read_only "$folder"; fi
    rm -f "$folder/.trailcam-deploy" 2>/dev/null || true
done
put installed "$(cat /opt/trailcam/trailcam-install 2>/dev/null || true)"
put enabled "$(systemctl is-enabled trailcam 2>/dev/null || true)"
put active "$(systemctl is-active trailcam 2>/dev/null || true)"
put config "$([ -e /etc/trailcam/trailcam.toml ] && echo yes || echo no)"
put source "$(python3 - 2>/dev/null <<'READ' || true
import tomllib
# The kind of the camera alone: an address may have a password.
print(tomllib.load(open("/etc/trailcam/trailcam.toml", "rb")).get("camera", {}).get("source", "").partition(":")[0])
READ
)"
digest() { sha256sum "$1" 2>/dev/null | cut -d ' ' -f 1; }
put root "$(digest /etc/trailcam/root.json)"
put device_id "$(cat /etc/trailcam/device-id 2>/dev/null || true)"
if [ -d /var/lib/trailcam-inbox ]; then
    cd /var/lib/trailcam-inbox
    find . -type f ! -name '*.part' -exec sha256sum {} + | while read -r sha path; do put inbox "$sha ${path#./}"; done
fi
for file in /opt/trailcam/lib/python3*/site-packages/trailcam_*/data/*.bundle/*; do
    if [ -f "$file" ]; then put held "$(digest "$file")"; fi
done
# Where earlier versions had the inbox, and root.json and device-id.
if grep -q '^source *= *"/var/lib/trailcam/inbox/*"' /etc/trailcam/trailcam.toml 2>/dev/null; then put old_inbox yes; fi
# The folder of the service is read with its rights, for a limited time, and what comes out is compared with a pattern.
# Only what the journal names counts as held: the updater takes no delta of anything else.
if id -u trailcam >/dev/null 2>&1; then
    as_service timeout 40 sh -c '
        cd /var/lib/trailcam/update || exit 0
        digest() { [ ! -f "$2" ] || echo "$1=$(sha256sum <"$2" | cut -d " " -f 1)"; }
        digest old_root root.json
        [ ! -f device-id ] || echo "old_device_id=$(head -c 65 device-id)"
        slots=$(grep -oE "\"(running|previous|candidate)\":\"[^\"]+\"" journal.json | cut -d "\"" -f 4)
        for slot in $slots; do
            for file in "slots/$slot"/*; do digest held "$file"; done
        done
    ' 2>/dev/null | head -c 20000 |
        grep -xE '(held|old_root)=[0-9a-f]{64}|old_device_id=[a-z0-9][a-z0-9._-]{0,63}' || true
fi
