"""The paper's equations as pure functions: surrogate, advantages, objective, closed form."""
