"""What all estimators share: the template of `fit`, training sets, callbacks."""
