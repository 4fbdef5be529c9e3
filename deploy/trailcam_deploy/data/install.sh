# install.sh WHAT FILES PINS ARGUMENTS...: make an environment with Trailcam beside the one that runs, then exchange them by
# one rename, so that a power cut leaves the old one or the new one. WHAT names what is installed; FILES is a folder
# of the device with the wheels that were brought; PINS is a file with the versions and digests of all dependencies, ""
# for the newest ones; ARGUMENTS are pip's.
what=$1 files=$2 pins=$3
shift 3
base=/opt/trailcam-environments
next=$base/$(printf %s "$what" | sha256sum | cut -c 1-16)
mkdir -p "$base"
# What an interrupted attempt has left.
for old in "$base"/*.part; do [ ! -e "$old" ] || rm -rf "$old"; done
if [ ! -e "$next/trailcam-install" ]; then
    rm -rf "$next"
    if [ -x /opt/trailcam/bin/python3 ] && /opt/trailcam/bin/python3 -m pip --version >/dev/null 2>&1; then
        # Hard links: pip replaces files and never writes into them, so the environment that runs stays as it is.
        cp -al "$(readlink -f /opt/trailcam)" "$next.part"
        rm -f "$next.part/trailcam-install"
    else
        python3 -m venv --system-site-packages "$next.part"
    fi
    pip() {
        "$next.part/bin/python3" -m pip install --quiet --disable-pip-version-check --no-input \
            --root-user-action=ignore --no-warn-script-location "$@"
    }
    if [ -n "$pins" ]; then
        pip --no-deps --only-binary=:all: --require-hashes --requirement "$pins"
        pip --no-deps "$@"
    else
        pip "$@"
    fi
    # Scripts begin with the path of their interpreter; it is /opt/trailcam that the service starts.
    for script in "$next.part"/bin/*; do
        [ -f "$script" ] && [ ! -L "$script" ] || continue
        if head -c 2 "$script" | grep -q '#!' && head -n 1 "$script" | grep -q "$next.part/"; then
            sed "1s|$next.part/|/opt/trailcam/|" "$script" > "$script.new"
            chmod 755 "$script.new"
            mv "$script.new" "$script"
        fi
    done
    "$next.part/bin/python3" -c 'import trailcam.main, trailcam_core.classifier'
    printf %s "$what" > "$next.part/trailcam-install"
    sync -f "$next.part"
    mv "$next.part" "$next"
fi
before=$(readlink -f /opt/trailcam 2>/dev/null || true)
# An environment that was made by hand is a folder: it makes room.
if [ -d /opt/trailcam ] && [ ! -L /opt/trailcam ]; then
    before=$base/by-hand
    mv /opt/trailcam "$before"
fi
ln -sfn "$next" "$base/link"
mv -T "$base/link" /opt/trailcam
[ -e /usr/local/bin/trailcam ] || ln -s /opt/trailcam/bin/trailcam /usr/local/bin/trailcam
sync -f /opt
# The service runs in the one before until it is started again.
for old in "$base"/*; do
    [ "$old" = "$next" ] || [ "$old" = "$before" ] || rm -rf "$old"
done
rm -rf "$files"
