"""The mathematics of hedgesweep: plain torch and numpy, no scheduler, no plotting, no YAML.

Notation used throughout:

========  ==================================  ========  ================  =========================
symbol    meaning                             unit      shape             source
========  ==================================  ========  ================  =========================
S         spot price                          currency  paths, steps + 1  Heston 1993
v         instantaneous variance              1 / year  paths, steps + 1  Heston 1993
v_0       variance today                      1 / year                    Heston 1993
kappa     speed of mean reversion of v        1 / year                    Heston 1993
v_bar     long-run variance (often: theta)    1 / year                    Heston 1993
xi        volatility of variance              1 / year                    Heston 1993
rho       correlation of Brownian motions     1                           Heston 1993
r, q      risk-free rate, dividend yield      1 / year
T, dt     maturity, time between trades       year
K         strike                              currency
Z         payoff of the option sold           currency  paths             Buehler et al. 2019
delta     position in the stock               shares    paths, steps      Buehler et al. 2019
c         cost per traded notional            1                           Buehler et al. 2019
PnL       terminal profit, gains positive     currency  paths             Buehler et al. 2019
y         scalar of the OCE; VaR for CVaR     currency                    Ben-Tal, Teboulle 2007
tail      share of worst paths                1                           Rockafellar, Uryasev 2002
theta_0   parameters before training                    dict of tensors   Frankle, Carbin 2019
theta_*   the dense network, trained                    dict of tensors   Frankle, Carbin 2019
m         mask: True where a weight is kept             dict of bool      Frankle, Carbin 2019
sparsity  share of prunable weights cut       1                           Frankle, Carbin 2019
epsilon   attack budget on S; on v, / 100     currency                    He et al. 2025
========  ==================================  ========  ================  =========================

"Currency" refers to one option on a stock with S_0 = 100.
"""
