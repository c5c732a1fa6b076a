"""Ensembles of scikit-learn: the probabilities of each tree of a forest, and the outputs of each network in a bag.

python examples/scikit_learn.py
"""

import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeRegressor

from learner_collusion import diagnose

seen, held_out, y_seen, y = train_test_split(*load_digits(return_X_y=True), random_state=0)
forest = RandomForestClassifier(20, random_state=0).fit(seen, y_seen)
probabilities = np.stack([tree.predict_proba(held_out) for tree in forest], 1)  # (rows, learners, classes)
# Trees give classes the probability 0, where the cross-entropy is infinite: Brier's loss is not.
print(diagnose(probabilities, y, "brier", "probability", inputs="probabilities"))

seen, held_out, y_seen, y = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
bag = BaggingRegressor(DecisionTreeRegressor(max_depth=4), 20, random_state=0).fit(seen, y_seen)
outputs = np.stack([tree.predict(held_out) for tree in bag.estimators_], 1)  # (rows, learners)
print(diagnose(outputs, y))
