# Waits until systemd has started everything, for $SECONDS_AT_MOST; `--wait` has no end where a unit has none, and
# `systemctl` itself none where systemd does not answer.
end=$(($(date +%s) + SECONDS_AT_MOST))
until state=$(timeout 10 systemctl is-system-running 2>&1); [ "$state" = running ] || [ "$state" = degraded ]; do
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "systemd is still ${state:-silent} after $SECONDS_AT_MOST s, with these jobs:"
        timeout 10 systemctl list-jobs --no-legend 2>&1 | head -n 5
        exit 1
    fi
    sleep 1
done
