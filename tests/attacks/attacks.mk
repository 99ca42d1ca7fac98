# Detectors against labelled captures; docs/detectors.md has the last result.
LAB_CAPTURES ?= build/attacks
.PHONY: attacks attacks-record
attacks-record: ## records the attack lab into build/attacks (root, namespaces, the tools themselves; what is there is kept)
	@tests/attacks/lab/deps.sh
	@[ -d $(LAB_CAPTURES) ] || { mkdir -p build && cp -r tests/attacks/captures $(LAB_CAPTURES); }
	@python3 tests/attacks/lab/record.py $(LAB_CAPTURES)

attacks: build attacks-record ## records what is missing, then judges every attack and benign capture (docs/detectors.md)
	@python3 tests/attacks/score.py target/release/streamguard --lab $(LAB_CAPTURES) --shared $(SHARED) \
	    --rules $(SHARED)/tools/attack-lab/rules.py --table docs/detectors.md
