#!/bin/sh
# Start Trailcam with /config/trailcam.toml, which is written at the first start and belongs to the user from then on.
set -eu
config=/config/trailcam.toml
token=/config/token
umask 077
jq --raw-output .source /data/options.json > /config/source  # a password stays out of the list of processes
[ -s "$token" ] || openssl rand -hex 24 > "$token"
if [ ! -e "$config" ]; then
    cat > "$config" << 'END'
# See the documentation of Trailcam for every setting.
[camera]
source_file = "/config/source"

[store]
folder = "/data/visits"

[live]
address = "0.0.0.0:8080"
token_file = "/config/token"
END
    echo "Wrote $config. Add [sinks.mqtt] there for entities in Home Assistant."
fi
echo "The page is on port 8080; its token is in $token."
exec /opt/trailcam/bin/trailcam watch --config "$config"
