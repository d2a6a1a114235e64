"""How good the judge is: a simulation of rollouts with the functions that the gate ships."""
