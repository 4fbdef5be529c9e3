# Begins every script that root runs on a device and that writes.
umask 022
# check_folder FOLDER: refuse a folder if a user other than root (and the one who runs this) can exchange a name on the
# way to it, by its own name or by the one behind links. What is not there yet is made by root.
check_folder() {
    for way in "$1" "$(readlink -m -- "$1")"; do
        missing=
        while [ -n "$way" ]; do
            if [ ! -e "$way" ] && [ ! -L "$way" ]; then
                missing=missing
            else
                # shellcheck disable=SC2046 # three words
                set -- $(stat -L -c '%u %g %A' -- "$way" 2>/dev/null || echo nobody - -)
                case "$1" in 0 | "$(id -u)") ;; *) refuse_folder "$way" "user $1 owns it" ;; esac
                case "$2 $3$missing" in
                    *\ d????-??-?* | 0\ d???????-?*) ;; # its owner alone may write
                    *\ d????????[tT]) ;; # sticky: names that are there can be exchanged by their owner alone
                    *) refuse_folder "$way" "its mode is $3" ;;
                esac
                missing=
            fi
            way=${way%/*}
        done
    done
}
refuse_folder() {
    echo "$1: $2, expected a folder in which root alone may write: another user could exchange files there." \
        "\"sudo chown root:root $1; sudo chmod 755 $1\" if that user is not to own it." >&2
    exit 1
}
# Run a command with the rights of the service alone: its folder is its own, and root follows no name there.
as_service() {
    (cd / && exec setpriv --reuid trailcam --regid trailcam --clear-groups --no-new-privs -- "$@" </dev/null)
}
