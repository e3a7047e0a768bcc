"""How signatures are checked while tests run: an int is welcome where a float is due."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
