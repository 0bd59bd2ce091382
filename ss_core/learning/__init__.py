"""One update: rollout, advantages of actions, communication round, passes over it, credit."""
