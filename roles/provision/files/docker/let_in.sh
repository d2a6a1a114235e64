# Lets the holder of $KEY log in as $LOGIN, who may do what root may. Says "changed" where that was not so already.
set -eu
if [ "$LOGIN" != root ]; then
    id "$LOGIN" > /dev/null 2>&1 || { useradd --create-home --shell /bin/bash "$LOGIN"; echo changed; }
    rule="/etc/sudoers.d/fleet-$LOGIN"
    [ -s "$rule" ] || { (umask 226; echo "$LOGIN ALL=(ALL) NOPASSWD: ALL" > "$rule"); echo changed; }
fi
home=$(getent passwd "$LOGIN" | cut -d: -f6)
keys="$home/.ssh/authorized_keys"
grep -qxsF "$KEY" "$keys" && exit
install -d -m 700 -o "$LOGIN" "$home/.ssh"
(umask 077; echo "$KEY" >> "$keys")
chown "$LOGIN" "$keys"
echo changed
