"""Other people's interfaces: PettingZoo and environments given as `module:function`."""
