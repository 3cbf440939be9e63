"""What files are: safetensors with its shards and config, and what is not read."""
