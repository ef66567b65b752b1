"""How a step is computed: algorithms of convolutions, replicas, precision, device, threads."""
