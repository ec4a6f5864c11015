"""What the workflow alone needs: settings, loading, splits, code hashes, snapshots, devices."""
