#!/bin/sh
# Start Trailcam with /config/trailcam.toml, which is written at the first start and belongs to the user from then on.
set -eu
root=${TRAILCAM_ROOT:-}  # a test has other folders
python=$root/opt/trailcam/bin/python3
config=$root/config/trailcam.toml
token=$root/config/token
umask 077
# A password stays out of the list of processes.
"$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["source"])' "$root/data/options.json" > "$root/config/source"
[ -s "$token" ] || "$python" -c 'import secrets; print(secrets.token_hex(24))' > "$token"
if [ ! -e "$config" ]; then
    cat > "$config" << END
# See the documentation of Trailcam for every setting.
[camera]
source_file = "$root/config/source"

[store]
folder = "$root/data/visits"

[live]
address = "0.0.0.0:8080"
token_file = "$token"
END
    echo "Wrote $config. Add [sinks.mqtt] there for entities in Home Assistant."
fi
echo "The page is on port 8080; its token is in $token."
exec "$root/opt/trailcam/bin/trailcam" watch --config "$config"
