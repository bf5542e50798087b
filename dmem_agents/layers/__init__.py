"""One layer's memory: configuration, gates, write spans, the memory itself and the linears that carry it."""
