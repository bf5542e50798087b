"""A frozen backbone with an adapter: attaching, files, loading."""
