# Waits until systemd has started everything, for $SECONDS_AT_MOST; `--wait` has no end where a unit has none.
left=$SECONDS_AT_MOST
until state=$(systemctl is-system-running 2>&1); [ "$state" = running ] || [ "$state" = degraded ]; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
        echo "systemd is still $state after $SECONDS_AT_MOST s, with these jobs:"
        systemctl list-jobs --no-legend 2>&1 | head -n 5
        exit 1
    fi
    sleep 1
done
