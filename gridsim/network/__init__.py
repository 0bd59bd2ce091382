"""The feeder as arrays, and how a pandapower net becomes one."""
