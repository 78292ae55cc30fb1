"""One folder per venue, the same file names in each: wire signer meta rules session (pure), client, server."""
