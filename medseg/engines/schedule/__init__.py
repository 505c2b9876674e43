"""Schedule: the learning rate of each step, and how long a training may take."""
