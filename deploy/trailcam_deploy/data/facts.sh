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
print(tomllib.load(open("/etc/trailcam/trailcam.toml", "rb")).get("camera", {}).get("source", ""))
READ
)"
digest() { sha256sum "$1" 2>/dev/null | cut -d ' ' -f 1; }
put root "$(digest /var/lib/trailcam/update/root.json)"
put device_id "$(cat /var/lib/trailcam/update/device-id 2>/dev/null || true)"
if [ -d /var/lib/trailcam/inbox ]; then
    cd /var/lib/trailcam/inbox
    find . -type f ! -name '*.part' -exec sha256sum {} + | while read -r sha path; do put inbox "$sha ${path#./}"; done
fi
# Only what the journal names counts as held: the updater takes no delta of anything else.
update=/var/lib/trailcam/update
for slot in $(grep -oE '"(running|previous|candidate)":"[^"]+"' $update/journal.json 2>/dev/null | cut -d '"' -f 4); do
    for file in "$update/slots/$slot"/*; do
        if [ -f "$file" ]; then put held "$(digest "$file")"; fi
    done
done
for file in /opt/trailcam/lib/python3*/site-packages/trailcam_*/data/*.bundle/*; do
    if [ -f "$file" ]; then put held "$(digest "$file")"; fi
done
