# Detectors against labelled captures; docs/detectors.md has the last result.
.PHONY: attacks
attacks: build ## every labelled attack and benign capture, judged (docs/detectors.md)
	@python3 tests/attacks/score.py target/release/streamguard $(SHARED) --table docs/detectors.md
